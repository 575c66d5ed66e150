"""Frames with exact masks in a device's memory, at every size that is trained.

Decoded once, by threads; 10,000 frames of 640x480 take 12 GB. In: data sets and the stems of one
side. Out: batches of bytes by position. Called by ``scripts/pretrain.py``.
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

__all__ = ["FramePool", "endless_batches", "to_device"]


class FramePool:
    """Frames and masks of several data sets under one count.

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
        self._contracts = [PreprocessContract(size) for size in sizes_hw]
        self._images = [torch.empty((len(found), *size, 3), dtype=torch.uint8) for size in sizes_hw]
        self._masks = [torch.empty((len(found), *size), dtype=torch.uint8) for size in sizes_hw]
        self._count = len(found)

        def take(position: int) -> None:
            self._put(position, *found[position])

        for_each(take, range(len(found)), doing="reading frames")
        self._images = [images.to(device) for images in self._images]
        self._masks = [masks.to(device) for masks in self._masks]
        self._of_size = {size: number for number, size in enumerate(sizes_hw)}

    def __len__(self) -> int:
        return self._count

    def batch(
        self, size_hw: tuple[int, int], positions: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Return images (n, h, w, 3) and class ids (n, h, w), uint8, copies on the device.

        Args:
            size_hw: One of the sizes that are kept.
            positions: (n,) of the frames, counted over all data sets.
        """
        number = self._of_size[size_hw]
        at = to_device(torch.from_numpy(positions), self._masks[number].device)
        return self._images[number][at], self._masks[number][at]

    def _put(self, position: int, dataset: LabelledDataset, frame: LabelledFrame) -> None:
        image, mask = dataset.image(frame), dataset.mask(frame)
        for contract, images, masks in zip(self._contracts, self._images, self._masks, strict=True):
            images[position] = torch.from_numpy(np.array(contract.resize_frame(image)))
            masks[position] = torch.from_numpy(np.array(contract.resize_mask(mask)))


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
