"""Frames with exact masks in a device's memory, at every size that is trained.

Decoded once, by threads; 10,000 frames of 640x480 take 12 GB at that size. In: for each size, data
sets and the stems of one side. Out: batches of bytes by position. Called by
``scripts/pretrain.py`` and, to measure, by ``train.settle``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wristseg.data.labelled import LabelledDataset
from wristseg.data.progress import for_each
from wristseg.preprocess import PreprocessContract

__all__ = ["FramePool", "endless_batches", "moved", "to_device"]

#: A data set, by identity, and the stem of one of its frames.
_Key = tuple[int, str]


class FramePool:
    """Frames and masks of several data sets, under one count for each size.

    Args:
        wanted: Height and width to the data sets kept at that size, each with the stems of its
            frames.
        device: Where they are kept.

    Raises:
        DataError: An image or a mask is damaged.
    """

    def __init__(
        self,
        wanted: Mapping[tuple[int, int], Sequence[tuple[LabelledDataset, Sequence[str]]]],
        *,
        device: torch.device,
    ) -> None:
        self._kept = {size: _Kept(size, sets) for size, sets in wanted.items()}
        datasets = {id(dataset): dataset for sets in wanted.values() for dataset, _ in sets}
        frames = {
            (number, frame.stem): frame
            for number, dataset in datasets.items()
            for frame in dataset.frames
        }
        found = sorted({key for kept in self._kept.values() for key in kept.places})

        def take(key: _Key) -> None:
            dataset, frame = datasets[key[0]], frames[key]
            image, mask = dataset.image(frame), dataset.mask(frame)
            for kept in self._kept.values():
                kept.put(key, image, mask)

        for_each(take, found, doing="reading frames")
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
        sets: Data sets, each with the stems of its frames.
    """

    def __init__(
        self, size_hw: tuple[int, int], sets: Sequence[tuple[LabelledDataset, Sequence[str]]]
    ) -> None:
        keys = [(id(dataset), stem) for dataset, stems in sets for stem in stems]
        self.places = {key: place for place, key in enumerate(keys)}
        self.images = torch.empty((len(keys), *size_hw, 3), dtype=torch.uint8)
        self.masks = torch.empty((len(keys), *size_hw), dtype=torch.uint8)
        self._contract = PreprocessContract(size_hw)

    def put(self, key: _Key, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Keep a frame, if it is one of these."""
        place = self.places.get(key)
        if place is not None:
            self.images[place] = torch.from_numpy(np.array(self._contract.resize_frame(image)))
            self.masks[place] = torch.from_numpy(np.array(self._contract.resize_mask(mask)))

    def move(self, device: torch.device) -> None:
        """Move all that is kept to a device."""
        self.images, self.masks = self.images.to(device), self.masks.to(device)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Return values on the device, without waiting for what the device has to do before.

    Through pinned memory, which PyTorch keeps until the copy is made; what it would read from other
    memory may be gone by then.
    """
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


def moved(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """Return what NumPy drew on the device, as ``to_device`` does; fractions as float32."""
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    return to_device(torch.from_numpy(np.ascontiguousarray(values)), device)


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
