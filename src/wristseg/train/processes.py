"""What the processes of one training have to do with each other.

Started by torchrun, or by Lightning where ``--devices`` asks for several on one machine: how many
there are, sums over all of them, and that all end, with a message, when one of them has ended.
Called by ``train.fit``, ``train.module`` and ``train.trainer``.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import inspect
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from wristseg.configs import TrainConfig
from wristseg.errors import DataError, TrainingError, UsageError
from wristseg.train.launcher import WatchingLauncher

if TYPE_CHECKING:
    from wristseg.train.module import EfficientViTSegModule

__all__ = [
    "BatchSums",
    "SameInputs",
    "average_statistics",
    "ends_together",
    "make_strategy",
    "most_steps",
    "process_count",
    "process_layout",
    "total_of",
]

#: Option of DDP by which buffers are sent before each step; PyTorch 2.15 has renamed it.
_SYNC_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in inspect.signature(DistributedDataParallel).parameters
)

#: How libraries say that another process has gone, or that it has not answered in time.
_GONE = ("gloo", "Connection closed", "Connection reset", "Broken pipe", "Timed out", "timed out")


def process_count() -> int:
    """Return how many processes train together; 1 before they have found each other."""
    available = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if available else 1


def process_layout(config: TrainConfig) -> tuple[str | int, int]:
    """Return devices per machine and machines: those asked for, or those that torchrun started.

    Without either it is one device, whatever the machine has: more would change the batch that a
    step is taken on.

    Raises:
        UsageError: The options contradict torchrun's.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        devices = 1 if config.devices == "auto" and config.num_nodes == 1 else config.devices
        return devices, config.num_nodes
    per_node = int(os.environ["LOCAL_WORLD_SIZE"])
    nodes = int(os.environ["WORLD_SIZE"]) // per_node
    if config.devices not in {"auto", str(per_node)} or config.num_nodes not in {1, nodes}:
        raise UsageError(
            f"--devices {config.devices} --num-nodes {config.num_nodes}: torchrun started "
            f"{per_node} processes on each of {nodes} machines; leave the two options out"
        )
    return per_node, nodes


def make_strategy(config: TrainConfig, devices: str | int, num_nodes: int) -> DDPStrategy | str:
    """Return DDP where there are several processes or ``--strategy`` asks for it."""
    if config.strategy == "auto" and str(devices) == "1" and num_nodes == 1:
        return "auto"
    # Validation has a step more on some processes, which would wait for the others for ever;
    # statistics are shared (train.sync_norm) or averaged before it.
    options: dict[str, Any] = {_SYNC_BUFFERS: False}
    return _WatchedDDP(timeout=timedelta(seconds=config.process_timeout_s), **options)


class _WatchedDDP(DDPStrategy):
    def setup_environment(self) -> None:
        super().setup_environment()
        atexit.register(_leave)

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = WatchingLauncher(
            self.cluster_environment, self.num_processes, self.num_nodes
        )


def _leave() -> None:
    # One process of many good trainings on a busy machine has ended by SIGABRT ("terminate called
    # without an active exception"). Most likely gloo's thread let go of the last result while the
    # interpreter ended; this waits for the thread first. Lightning does so with NCCL only.
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class BatchSums:
    """Adds up what the processes have found in their parts of one batch (``losses.Pool``)."""

    def __init__(self) -> None:
        self._last = torch.zeros(0)

    def __call__(self, sums: Tensor) -> Tensor:
        """Return the sums over all processes; each of them must call."""
        self._last = sums
        torch.distributed.all_reduce(sums)
        return sums

    def take_part(self, steps: int) -> None:
        """Add nothing to as many batches of the others, of which this process has no frame."""
        for _ in range(steps):
            torch.distributed.all_reduce(torch.zeros_like(self._last))


def most_steps(steps: int, device: torch.device) -> int:
    """Return the largest number of steps that any process has."""
    most = torch.tensor(steps, device=device)
    torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
    return int(most)


def total_of(count: int, device: torch.device) -> int:
    """Return the sum of a number over all processes."""
    if process_count() == 1:
        return count
    total = torch.tensor(count, device=device)
    torch.distributed.all_reduce(total)
    return int(total)


def average_statistics(network: nn.Module) -> None:
    """Give all processes the mean of their running statistics, where they kept their own."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:  # shares nothing
            for statistic in (module.running_mean, module.running_var):
                assert statistic is not None
                torch.distributed.all_reduce(statistic)
                statistic.div_(process_count())


class SameInputs(pl.Callback):
    """Refuses to train where the processes read different frames or draw another split."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: EfficientViTSegModule) -> None:  # type: ignore[override]
        """Compare.

        Raises:
            DataError: Another process has other data.
        """
        if process_count() == 1 or pl_module.record is None:
            return
        names = ("dataset_sha256", "mix_sha256", "split", "seed")
        own = json.dumps([pl_module.record[name] for name in names])
        digests: list[Any] = [None] * process_count()
        torch.distributed.all_gather_object(digests, hashlib.sha256(own.encode()).hexdigest())
        others = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
        if others:
            raise DataError(
                f"process {trainer.global_rank} of {len(digests)}",
                f"processes {', '.join(map(str, others))} read other frames, labels or splits than "
                "process 0; every machine needs the same data set and options",
            )


@contextlib.contextmanager
def ends_together(trainer: pl.Trainer) -> Iterator[None]:
    """Turn what libraries raise when another process has gone into a message; end one's own.

    Raises:
        TrainingError: Another process has ended or does not answer.
    """
    launcher = trainer.strategy.launcher
    own = launcher if isinstance(launcher, WatchingLauncher) else None
    try:
        yield
    except BaseException as error:
        lost = isinstance(error, RuntimeError) and _tells_of_another(error)
        reason = None if own is None or not lost else own.first_failure()
        if own is not None:
            own.end_children()
        if not lost:
            raise
        raise TrainingError(
            f"process {trainer.global_rank} of {trainer.world_size}: "
            f"{reason or 'another process of this training has ended or does not answer'} "
            f"({str(error).splitlines()[0][:200]}); "
            "the checkpoints hold the epochs before: the same command with --resume goes on"
        ) from error
    if own is not None:
        own.forget_children()


def _tells_of_another(error: RuntimeError) -> bool:
    if process_count() == 1 and not isinstance(error, torch.distributed.DistError):
        return False
    return isinstance(error, torch.distributed.DistError) or any(
        word in str(error) for word in _GONE
    )
