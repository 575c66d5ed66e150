"""The processes of one training, started as torchrun starts them, but without torchrun."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def start_ranks(count: int, *options: object) -> list[subprocess.Popen]:
    """Start ``wristseg train`` with these options in ``count`` processes."""
    return start(count, __name__, *options)


def start(count: int, module: str, *options: object) -> list[subprocess.Popen]:
    """Start a module in ``count`` processes that can find each other."""
    command = [sys.executable, "-m", module, *map(str, options)]
    if count == 1:
        return [_start(command, {})]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "TORCHELASTIC_RUN_ID": "test",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    ranks = [str(rank) for rank in range(count)]
    return [_start(command, {**shared, "RANK": rank, "LOCAL_RANK": rank}) for rank in ranks]


def finish(
    processes: list[subprocess.Popen], *, timeout_s: float = 280, code: int = 0
) -> list[str]:
    """Return what the processes wrote to stderr, once all have ended with this exit code."""
    try:
        said = [process.communicate(timeout=timeout_s)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [code] * len(processes), said
    return said


def small_options(dataset: Path, run: Path) -> list[object]:
    """Return options of a training of 11 and 5 frames at 84x84 on the CPU: 3 steps, 2 epochs."""
    return [
        *("--dataset-path", dataset, "--output-dir", run, "--accelerator", "cpu"),
        *("--img-height", 84, "--img-width", 84, "--epochs", 2, "--pretrained", "none"),
        *("--val-fraction", 0.3),
    ]


def _start(command: list[str], variables: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop_in(epoch: int) -> None:
    """Let Ctrl-C come at the second step of an epoch, counted from 0."""
    from wristseg.train.module import EfficientViTSegModule

    step = EfficientViTSegModule.training_step

    def stop(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (epoch, 1):
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    EfficientViTSegModule.training_step = stop


def _train_without_report() -> int:
    """Run the command without what comes after a training, which takes longer than a small one.

    ``--stop-in N`` as the last option interrupts it in that epoch.
    """
    import wristseg.cli.train
    import wristseg.train.fit

    if sys.argv[-2] == "--stop-in":
        _stop_in(int(sys.argv.pop()))
        sys.argv.pop()
    wristseg.cli.train._finish = lambda *_args: None
    wristseg.train.fit.finish_run = lambda *_args, **_options: None
    return wristseg.cli.train.main()


if __name__ == "__main__":
    sys.exit(_train_without_report())
