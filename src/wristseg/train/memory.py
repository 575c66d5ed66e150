"""Batches that do not fit into memory: split into parts whose gradients are averaged.

In: the batches of an epoch and the error of a step. Out: smaller batches of the same frames in the
same order, as many to a step as there are parts. Called by ``train.fit``.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import pairwise

import torch

from wristseg.configs import TrainConfig
from wristseg.data.frames import EpochBatches, FrameKey
from wristseg.errors import TrainingError

__all__ = ["SplitBatches", "is_out_of_memory", "more_parts", "part_size", "release_memory"]

#: What allocators say that raise a plain RuntimeError (PyTorch's for the CPU and MPS, cuBLAS).
_SAID = (
    "out of memory",
    "can't allocate memory",
    "not enough memory: you tried to allocate",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


class SplitBatches(EpochBatches):
    """The batches of an epoch, each in ``parts`` pieces of nearly equal size.

    A last batch of fewer frames than parts has a piece per frame; Lightning steps at an epoch's end
    in any case.

    Args:
        batches: The whole batches.
        parts: Pieces of each.
    """

    def __init__(self, batches: EpochBatches, parts: int) -> None:
        super().__init__(batches.length, batches.batch_size, batches.seed)
        self._batches = batches
        self._parts = parts

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration belongs to."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[list[FrameKey]]:
        for keys in self._batches:
            parts = min(self._parts, len(keys))
            bounds = [len(keys) * part // parts for part in range(parts + 1)]
            yield from (keys[start:end] for start, end in pairwise(bounds))


def part_size(batch_size: int, parts: int) -> int:
    """Return the most frames that a part of a batch has."""
    return -(-batch_size // parts)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, of the GPU or the machine, was too small."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


def more_parts(parts: int, config: TrainConfig, *, world_size: int) -> int:
    """Return into how many parts to split each batch after ``parts`` were too few.

    Raises:
        TrainingError: Single frames do not fit, or other processes would have to split too.
    """
    height, width = config.size_hw
    if world_size > 1:
        raise TrainingError(
            f"out of memory with {config.batch_size} frames of {height}x{width} (h x w) in each of "
            f"{world_size} processes; use a smaller --batch-size"
        )
    if parts >= config.batch_size:
        raise TrainingError(
            f"out of memory with a single frame of {height}x{width} (h x w); choose a smaller "
            "--img-height and --img-width, or --accelerator cpu"
        )
    return min(2 * parts, config.batch_size)


def release_memory() -> None:
    """Give back what a step that failed held; nothing may refer to it any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
