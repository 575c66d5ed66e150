"""Frames with exact masks in a device's memory, at every size that is trained.

Decoded once, by threads; 10,000 frames of 640x480 take 12 GB. In: data sets and the stems of one
side. Out: batches of bytes by position. A size gets the frames that are at least as large: enlarged
ones show edges that no camera does. Called by ``scripts/pretrain.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.progress import for_each
from wristseg.preprocess import PreprocessContract

__all__ = ["FramePool", "endless_batches", "is_as_large", "to_device"]


class FramePool:
    """Frames and masks of several data sets, under one count for each size.

    Args:
        sides: Data sets, each with the stems of its frames.
        sizes_hw: Heights and widths at which frames are kept.
        device: Where they are kept.

    Raises:
        DataError: An image or a mask is damaged.
    """

    def __init__(
        self,
        sides: Sequence[tuple[LabelledDataset, Sequence[str]]],
        sizes_hw: Sequence[tuple[int, int]],
        *,
        device: torch.device,
    ) -> None:
        found = [
            (dataset, frames[stem])
            for dataset, stems in sides
            for frames in [{frame.stem: frame for frame in dataset.frames}]
            for stem in stems
        ]
        self._kept = {size: _Kept(size, [frame for _, frame in found]) for size in sizes_hw}

        def take(position: int) -> None:
            dataset, frame = found[position]
            image, mask = dataset.image(frame), dataset.mask(frame)
            for kept in self._kept.values():
                kept.put(position, image, mask)

        for_each(take, range(len(found)), doing="reading frames")
        for kept in self._kept.values():
            kept.move(device)

    def count(self, size_hw: tuple[int, int]) -> int:
        """Return the number of frames that are kept at a size."""
        return len(self._kept[size_hw].places)

    def batch(
        self, size_hw: tuple[int, int], positions: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Return images (n, h, w, 3) and class ids (n, h, w), uint8, copies on the device.

        Args:
            size_hw: One of the sizes that are kept.
            positions: (n,) of the frames kept at that size, counted over all data sets.
        """
        kept = self._kept[size_hw]
        at = to_device(torch.from_numpy(positions), kept.masks.device)
        return kept.images[at], kept.masks[at]


class _Kept:
    """What is kept at one size.

    Args:
        size_hw: The size.
        frames: All frames, of which the smaller ones are left out.
    """

    def __init__(self, size_hw: tuple[int, int], frames: Sequence[LabelledFrame]) -> None:
        large = [i for i, frame in enumerate(frames) if is_as_large(frame, size_hw)]
        self.places = {position: place for place, position in enumerate(large)}
        self.images = torch.empty((len(large), *size_hw, 3), dtype=torch.uint8)
        self.masks = torch.empty((len(large), *size_hw), dtype=torch.uint8)
        self._contract = PreprocessContract(size_hw)

    def put(self, position: int, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Keep a frame, which is counted over all frames, if it is large enough."""
        place = self.places.get(position)
        if place is not None:
            self.images[place] = torch.from_numpy(np.array(self._contract.resize_frame(image)))
            self.masks[place] = torch.from_numpy(np.array(self._contract.resize_mask(mask)))

    def move(self, device: torch.device) -> None:
        """Move all that is kept to a device."""
        self.images, self.masks = self.images.to(device), self.masks.to(device)


def is_as_large(frame: LabelledFrame, size_hw: tuple[int, int]) -> bool:
    """Return whether a frame reaches a size without being enlarged."""
    return frame.size_hw[0] >= size_hw[0] and frame.size_hw[1] >= size_hw[1]


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Return values on the device, without waiting for what the device has to do before.

    Through pinned memory, which PyTorch keeps until the copy is made; what it would read from other
    memory may be gone by then.
    """
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


def endless_batches(length: int, batch_size: int, *, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield positions of batches for ever; each frame once, then each once again in another order.

    Args:
        length: Number of frames; a batch may hold a frame twice where it has more than these.
        batch_size: Positions per batch.
        seed: The order follows from it.

    Raises:
        ValueError: There is no frame, or the batch has no place for one.
    """
    if length < 1 or batch_size < 1:  # would look for a frame for ever
        raise ValueError(
            f"batches of {batch_size} from {length} frames: expected 1 or more of each"
        )
    rng = np.random.default_rng(seed)
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, rng.permutation(length)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]
