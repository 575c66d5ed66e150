"""Frames of a second data set mixed into the batches of the first.

In: the training frames of both. Out: batches in which a fixed number of frames is of the second
one, while an epoch stays one pass over the first. Which frames those are follows from (seed, epoch)
alone, so that a resumed run sees the same ones. Called by ``train.data``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.data.frames import Batch, EpochBatches, FrameKey, TrainingFrames

__all__ = ["MixedBatches", "MixedFrames"]

#: Keeps the draw of mixed frames apart from the shuffle, which takes (seed, epoch).
_DRAW = 1


class MixedFrames:
    """The frames of both data sets under one count: those of the second follow the first's.

    Args:
        main: Frames of the first data set.
        mixed: Frames of the second.
    """

    def __init__(self, main: TrainingFrames, mixed: TrainingFrames) -> None:
        self._main = main
        self._mixed = mixed

    def __len__(self) -> int:
        return len(self._main) + len(self._mixed)

    def __getitem__(self, key: FrameKey) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image (h, w, 3) and class ids (h, w), uint8, as augmented in that epoch."""
        epoch, position = key
        if position < len(self._main):
            return self._main[key]
        return self._mixed[epoch, position - len(self._main)]

    def batch(self, keys: Sequence[FrameKey]) -> Batch:
        """Return the frames of these keys as one batch."""
        return self.collate([self[key] for key in keys])

    def collate(self, frames: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> Batch:
        """Stack and standardise frames."""
        return self._main.collate(frames)


@dataclass
class MixedBatches(EpochBatches):
    """An epoch's batches of the first data set, with frames of the second appended to each.

    Attributes:
        batch_size: Frames of the first data set per batch and process.
        mixed_per_batch: Frames of the second per batch and process.
        mixed_length: Number of frames of the second.
    """

    mixed_per_batch: int = 0
    mixed_length: int = 0

    def __iter__(self) -> Iterator[list[FrameKey]]:
        step = self.mixed_per_batch * self.world_size
        drawn = self._drawn(len(self) * step)
        for number, keys in enumerate(super().__iter__()):
            positions = drawn[number * step : (number + 1) * step][self.rank :: self.world_size]
            yield keys + [(self.epoch, self.length + position) for position in positions]

    def _drawn(self, count: int) -> list[int]:
        """Return positions in the second data set, each as often as the others, give or take one.

        A small set is gone through several times an epoch, a large one a part at a time.
        """
        rng = np.random.default_rng([self.seed or 0, self.epoch, _DRAW])
        passes = -(-count // self.mixed_length)
        orders = [rng.permutation(self.mixed_length) for _ in range(passes)]
        positions: list[int] = np.concatenate(orders)[:count].tolist()
        return positions
