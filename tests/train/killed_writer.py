"""Copies of this process write checkpoints and are killed; run by ``test_kills``.

A copy of a process that has loaded PyTorch starts in a millisecond, a new one in seconds: so a
hundred kills take seconds. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from wristseg.errors import CheckpointError
from wristseg.train.checkpoints import LAST, AtomicCheckpointIO, find_resume_point
from wristseg.train.run_folder import hold_run_folder

#: A save that nobody sees within this time does not replace the file: the writer is broken.
_PATIENCE_S = 20.0
_NUMBERS = 500_000  # 2 MB: a write that takes long enough to be met by a signal


def write_for_ever(folder: Path, first: int) -> None:
    """Write checkpoint after checkpoint, each of one number."""
    writer = AtomicCheckpointIO()
    for number in range(first, first + 1_000_000):
        content = {"number": number, "weights": torch.full((_NUMBERS,), float(number))}
        writer.save_checkpoint(content, folder / LAST)


def wait_for_a_save(path: Path) -> float:
    """Wait until another file has the name, and again; returns the seconds in between."""
    times = []
    deadline = time.monotonic() + _PATIENCE_S
    for _ in range(2):
        before = path.stat().st_ino
        while path.stat().st_ino == before:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is not replaced")
            time.sleep(0.0005)
        times.append(time.monotonic())
    return times[1] - times[0]


def main(folder: Path, kills: int) -> None:
    """Kill ``kills`` writers one after the other and look at what each has left."""
    torch.set_num_threads(1)  # a copy has none of the threads that it would wait for
    rng = random.Random(12)
    folder.mkdir(parents=True)
    AtomicCheckpointIO().save_checkpoint(
        {"number": 0, "weights": torch.zeros(_NUMBERS)}, folder / LAST
    )
    number, damaged, half_written = 0, [], 0
    for kill in range(kills):
        child = os.fork()
        if child == 0:
            try:
                write_for_ever(folder, number + 1)
            finally:
                os._exit(1)
        # As long as a save takes on this disk, from the end of one on: most kills meet the next.
        try:
            time.sleep(rng.uniform(0.0, 1.2) * wait_for_a_save(folder / LAST))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        half_written += len(list(folder.glob(".last.*.tmp.ckpt")))
        with hold_run_folder(folder):
            pass  # as a resumed run does
        try:
            path, warning = find_resume_point(folder)
            content = AtomicCheckpointIO().load_checkpoint(path)
            whole = warning is None and bool((content["weights"] == content["number"]).all())
            number = content["number"]
        except CheckpointError as error:
            whole, content = False, {"error": str(error)}
        if not whole:
            damaged.append([kill, str(content)[:200]])
    left = sorted(path.name for path in folder.iterdir())
    print(json.dumps({"damaged": damaged, "half": half_written, "saved": number, "left": left}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
