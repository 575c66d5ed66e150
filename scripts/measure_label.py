"""Measure `wristseg label`: two workers beside one, and what the driver costs at many small inputs.

    uv run python scripts/measure_label.py workers --clips 40 --frames 120
    uv run python scripts/measure_label.py driver --items 10000

The first needs a machine with two idle cores. The second counts processor time of the driver, which
other programs change little; its workers run a stub that computes for a given time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from wristseg.batch.index import write_index
from wristseg.batch.job import Item, Job, Model, Outcome
from wristseg.batch.local_engine import run_local
from wristseg.batch.progress import BatchProgress
from wristseg.batch.store import open_store
from wristseg.batch.worker import Frames
from wristseg.classes import DEFAULT_CLASSES

#: Least speed of two workers beside one, and most share of the driver.
_GOAL_SPEED, _GOAL_SHARE = 1.7, 0.05


class Stub:
    """Stands for a model: computes for some milliseconds, and finds the table everywhere."""

    classes = DEFAULT_CLASSES

    def __init__(self, milliseconds: float) -> None:
        self._seconds = milliseconds / 1000

    def predict_rgb(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        end = time.thread_time() + self._seconds
        while time.thread_time() < end:
            pass
        return np.full(frame_rgb.shape[:2], 2, np.uint8)


def load_stub(job: Job) -> Model:
    """Return the stub; its milliseconds stand where the checkpoint would."""
    return Stub(float(job.checkpoint))


def workers(clips: int = 40, frames: int = 120, size: str = "480x640", rounds: int = 3) -> int:
    """Time one worker on one core beside two workers on two, on the same clips.

    Args:
        clips: Number of clips.
        frames: Frames of each.
        size: Height and width of the frames.
        rounds: How often; the best of each counts.
    """
    height, width = (int(length) for length in size.split("x"))
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        print("this process may use one core only", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "in").mkdir()
        for number in range(clips):
            _make_clip(folder / "in" / f"{number:04d}.mp4", number, frames, (height, width))
        taken: dict[int, list[float]] = {1: [], 2: []}
        _labelled(folder, cpus, 2, "warm")  # the model's export is made once
        for round_ in range(rounds):
            for count, times in taken.items():
                times.append(_labelled(folder, cpus[:count], count, f"{round_}_{count}"))
    best = {count: min(times) for count, times in taken.items()}
    speed = best[1] / best[2]
    found = {f"workers_{count}_s": round(seconds, 2) for count, seconds in best.items()}
    print(json.dumps({**found, "frames": clips * frames, "speed": round(speed, 3)}))
    return 0 if speed >= _GOAL_SPEED else 1


def driver(items: int = 10_000, stub_ms: float = 10.0, count: int = 2) -> int:
    """Compare the driver's processor time with that of its workers, at many small images.

    Args:
        items: Number of images.
        stub_ms: Processor time of the stub per image, milliseconds.
        count: Number of workers.
    """
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "in").mkdir()
        found = [Item(str(_make_image(folder / "in", i)), "image") for i in range(items)]
        job = Job(str(folder / "out"), checkpoint=str(stub_ms), model_sha256="0" * 64)
        before, started = _cpu_s(resource.RUSAGE_SELF), time.perf_counter()
        entries = []
        events = run_local(job, found, workers=count, timeout_s=600.0, load=load_stub)
        with BatchProgress(items, workers=count) as progress, closing(events):
            for event in events:
                if isinstance(event, Frames):
                    progress.add_frames(event.count)
                elif isinstance(event, Outcome):
                    progress.add(event)
                    entries.append(event.entry)
        write_index(open_store(job.output), entries, job=job.digest(), part=(0, 1))
        wall_s = time.perf_counter() - started
        own_s = _cpu_s(resource.RUSAGE_SELF) - before
    of_workers_s = _cpu_s(resource.RUSAGE_CHILDREN)
    share = own_s / (own_s + of_workers_s)
    facts = {
        "items": len(entries),
        "wall_s": round(wall_s, 1),
        "driver_cpu_s": round(own_s, 2),
        "driver_ms_per_item": round(1000 * own_s / items, 3),
        "workers_cpu_s": round(of_workers_s, 1),
        "driver_share": round(share, 4),
    }
    print(json.dumps(facts))
    return 0 if share < _GOAL_SHARE and len(entries) == items else 1


def _labelled(folder: Path, cpus: list[int], count: int, name: str) -> float:
    """Label the clips on some CPUs; returns the seconds it took."""
    given = [sys.executable, "-m", "wristseg", "label", str(folder / "in"), "--workers", str(count)]
    given += ["--checkpoint", "sim-84", "--output", str(folder / name)]
    places = ",".join(map(str, cpus))
    started = time.perf_counter()
    subprocess.run(["taskset", "-c", places, *given], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _make_clip(path: Path, seed: int, frames: int, size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    picture = np.asarray(coarse.resize((width + frames, height), Image.Resampling.BICUBIC))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for i in range(frames):
            view = np.ascontiguousarray(picture[:, i : i + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))


def _make_image(folder: Path, number: int) -> Path:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[0, 0] = number % 256, number // 256 % 256, number // 65536
    path = folder / f"{number:06d}.png"
    Image.fromarray(picture).save(path, compress_level=1)
    return path


def _cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(tyro.extras.subcommand_cli_from_dict({"workers": workers, "driver": driver}))
