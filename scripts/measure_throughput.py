"""Measure frames per core-second and bytes per frame: the inputs of the formulas in docs/scale.md.

A core-second is processor time of one thread, so other work on the machine changes the figures less
than it changes the clock; caches and memory are shared all the same, so measure on a quiet machine.

  python scripts/measure_throughput.py sim-84 sim-640 --clip data/clips/grasp.mp4
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from wristseg.cli.command import limit_spinning
from wristseg.predict import Segmenter
from wristseg.predict.mask_video import open_mask_video
from wristseg.predict.video import VideoReader

#: (height, width, batch) of the trainings: those of the project's two models.
_TRAININGS = ((84, 84, 16), (480, 640, 4))


def main(
    models: tuple[str, ...],
    /,
    *,
    clip: Path = Path("data/clips/grasp.mp4"),
    rounds: int = 5,
    train: bool = True,
) -> int:
    """Print JSON: bytes and core-seconds per frame of each step of labelling, and of a training.

    Args:
        models: Model files, or names of weights that ship in the package.
        clip: A video of the kind to be labelled.
        rounds: How often each is measured; the median is printed, and lowest and highest.
        train: Whether to measure steps of training too.
    """
    frames = _decode(clip)
    found: dict[str, Any] = {
        "clip": {
            "frames": len(frames),
            "size_hw": frames[0].shape[:2],
            "bytes_per_frame": round(clip.stat().st_size / len(frames)),
        },
        "decode": _per_frame(lambda: _decode(clip), len(frames), rounds),
    }
    for model in models:
        found[f"predict {model}"] = _predict(model, frames, rounds)
    if train:
        torch.set_num_threads(1)
        for height, width, batch in _TRAININGS:
            step = _training_step(height, width, batch)
            step()  # the first one takes memory and chooses kernels
            name = f"train {height}x{width}, batch {batch}"
            found[name] = _per_frame(step, batch, rounds)
    print(json.dumps(found, indent=2))
    return 0


def _predict(model: str, frames: list[NDArray[np.uint8]], rounds: int) -> dict[str, Any]:
    segmenter = Segmenter.load(model, runtime="onnxruntime", threads=1)
    masks = [segmenter.predict_rgb(frame) for frame in frames]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "masks.mkv"

        def write() -> None:
            height, width = masks[0].shape
            rates = {"fps": Fraction(30), "time_base": Fraction(1, 30)}
            with open_mask_video(target, (height, width), comment="", **rates) as video:
                for number, mask in enumerate(masks):
                    video.write(mask, number, image_format="gray")

        written = _per_frame(write, len(masks), rounds)
        size = target.stat().st_size
    predicted = _per_frame(
        lambda: [segmenter.predict_rgb(frame) for frame in frames], len(frames), rounds
    )
    return {
        "network": predicted,
        "mask video": written,
        "mask_bytes_per_frame": round(size / len(masks)),
    }


def _training_step(height: int, width: int, batch: int) -> Callable[[], None]:
    from wristseg.train.module import EfficientViTSegModule
    from wristseg.train.optimizer import OptimizerPlan

    module = EfficientViTSegModule(img_height=height, img_width=width)
    network = module.network.to(memory_format=torch.channels_last).train()
    optimizer = OptimizerPlan().optimizer(network, lr=1e-4, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, height, width, generator=generator)
    images = images.to(memory_format=torch.channels_last)
    masks = torch.randint(6, (batch, height, width), generator=generator).to(torch.uint8)

    def step() -> None:
        loss = module.loss(network.coarse_logits(images), masks)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _per_frame(work: Callable[[], object], frames: int, rounds: int) -> dict[str, float]:
    """Return core-milliseconds per frame, and frames per core-second, over the rounds."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        spent.append((time.process_time() - started) / frames)
    return {
        "core_ms_per_frame": round(1e3 * median(spent), 3),
        "lowest_ms": round(1e3 * min(spent), 3),
        "highest_ms": round(1e3 * max(spent), 3),
        "frames_per_core_second": round(1 / median(spent), 1),
    }


def _decode(clip: Path) -> list[NDArray[np.uint8]]:
    with VideoReader(clip) as video:
        return [frame.rgb for frame in video]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    limit_spinning()
    sys.exit(tyro.cli(main))
