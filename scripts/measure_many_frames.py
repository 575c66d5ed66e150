"""Measure time and memory of reading a large training set, stage by stage, without a network.

A made data set of tiny frames stands for a large one: each image file differs from the others by a
comment inside, so that files, outlines and names are as many as in a real one, and only pixels are
few. Memory is the process's own (``RssAnon``); pages of the mapped file that holds decoded frames
are counted apart (``RssFile``), since the system takes them back when others need them.

  python scripts/measure_many_frames.py 20000 --folder /tmp/many
  python scripts/measure_many_frames.py 200000 --folder /tmp/more --labels masks --cache-gib 0.25
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from PIL import Image

from wristseg.classes import DEFAULT_CLASSES
from wristseg.configs import TrainConfig
from wristseg.data.frames import make_loader
from wristseg.data.labels import load_labels
from wristseg.train.data import load_training_data

_CLASSES = DEFAULT_CLASSES.names
_SEED = 0


def main(
    frames: int,
    /,
    *,
    folder: Path,
    labels: Literal["coco", "masks"] = "coco",
    side: int = 84,
    corners: int = 12,
    cache_gib: float = 0.25,
    num_workers: int = 0,
) -> int:
    """Make the data set where it is not there yet, read it, and print a JSON line per stage.

    Args:
        frames: Number of frames.
        folder: Where the data set is, or is made; remove it yourself.
        labels: COCO outlines, or ready-made masks.
        side: Width and height of a frame, pixels.
        corners: Corners of each outline; the five classes have one each.
        cache_gib: Memory for decoded frames, GiB.
        num_workers: Loader processes.
    """
    if not folder.exists():
        with _measured("make"):
            _make(folder, frames, labels=labels, side=side, corners=corners)
    config = TrainConfig(
        folder,
        img_height=84,
        img_width=84,
        batch_size=64,
        cache_gib=cache_gib,
        num_workers=num_workers,
        output_dir=folder / "run",
    )
    with _measured("labels"):
        load_labels(config.dataset())
    with _measured("labels, checks and decoding"):
        data = load_training_data(config, split_file=None)
    loader = make_loader(data.source, data.batches(config), num_workers=num_workers)
    for epoch in (1, 2):
        with _measured(f"epoch {epoch} of batches"):
            count = sum(len(masks) for _, masks in loader)
        print(json.dumps({"frames": count}))
    return 0


@contextlib.contextmanager
def _measured(stage: str) -> Iterator[None]:
    """Print how long the block took, and the most memory that it had."""
    most: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for name, size in _memory_mib().items():
                most[name] = max(size, most.get(name, 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - started
        done.set()
        watcher.join()
    now = {f"{name} after": size for name, size in _memory_mib().items()}
    print(json.dumps({"stage": stage, "seconds": round(seconds, 1), **most, **now}), flush=True)


def _memory_mib() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {f"{name} MiB": int(fields[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile")}


def _make(folder: Path, frames: int, *, labels: str, side: int, corners: int) -> None:
    rng = np.random.default_rng(_SEED)
    (folder / "images").mkdir(parents=True)
    if labels == "masks":
        (folder / "masks").mkdir()
    pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
    picture = _jpeg(pixels)
    mask = io.BytesIO()
    ids = np.arange(side * side, dtype=np.uint8).reshape(side, side) % len(_CLASSES)
    Image.fromarray(ids).save(mask, "PNG")
    images, annotations = [], []
    for number in range(frames):
        stem = f"rec{number // 2000:03d}_frame_{number:07d}"
        (folder / "images" / f"{stem}.jpg").write_bytes(_with_comment(picture, number))
        if labels == "masks":
            (folder / "masks" / f"{stem}.png").write_bytes(mask.getvalue())
            continue
        images.append({"id": number, "width": side, "height": side, "file_name": f"{stem}.jpg"})
        annotations += _outlines(rng, number, side, corners)
    if labels == "coco":
        names = [{"id": i, "name": name} for i, name in enumerate(_CLASSES) if i > 0]
        table = {"images": images, "annotations": annotations, "categories": names}
        (folder / "annotations.json").write_text(json.dumps(table), encoding="utf-8")


def _outlines(rng: np.random.Generator, number: int, side: int, corners: int) -> list[Any]:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    found = []
    for class_id in range(1, len(_CLASSES)):
        center, radius = rng.uniform(0.3, 0.7, 2) * side, rng.uniform(0.1, 0.25) * side
        points = center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        found.append(
            {
                "id": number * len(_CLASSES) + class_id,
                "image_id": number,
                "category_id": class_id,
                "segmentation": [np.round(points.ravel(), 2).tolist()],
                "iscrowd": 0,
            }
        )
    return found


def _jpeg(pixels: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=30)
    return file.getvalue()


def _with_comment(jpeg: bytes, number: int) -> bytes:
    """Return the picture with a comment after its first marker: other bytes, same pixels."""
    text = b"%012d" % number
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
