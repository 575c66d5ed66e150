"""Frames for training: decoded once, kept, augmented and batched one step ahead.

In: a data set with labels and the stems of one side of the split. Out: batches of standardised
images and class ids. A loader's worker processes would fight the trainer for a small machine's
cores, so one thread prepares the next batches (OpenCV and NumPy let go of Python's lock); worker
processes are there for machines that have cores to spare. Called by ``train.fit``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wristseg.data.augment import Recipe, augment
from wristseg.data.frame_store import FrameStore
from wristseg.data.paste import Paster
from wristseg.data.progress import for_each
from wristseg.data.shadows import Shadows
from wristseg.errors import DataError
from wristseg.preprocess import PreprocessContract

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from wristseg.data.labels import LabelledDataset

__all__ = [
    "Batch",
    "EpochBatches",
    "FrameKey",
    "FrameSource",
    "PrefetchLoader",
    "TrainingFrames",
    "make_loader",
]

#: (epoch, position): what decides how a frame is augmented.
FrameKey = tuple[int, int]

#: Images (N, 3, H, W) float32, standardised, channels last; class ids (N, H, W) uint8.
Batch = tuple[Tensor, Tensor]

#: 1,700 frames of 640x480 with their masks; frames beyond it go to a mapped file.
_CACHE_BYTES = 2 * 1024**3

_BATCHES_AHEAD = 2

#: Keeps what is drawn for pasting apart from the other augmentation, which does not change with it.
_PASTE = 1


class TrainingFrames:
    """One side of the split as arrays at the network's size.

    With ``full`` augmentation frames are kept at their own size, so that a crop has all its detail,
    and resized afterwards; otherwise they are kept as the network sees them.

    Args:
        dataset: Frames and masks.
        stems: The frames of this side; their positions are the indices.
        contract: What happens to a frame before the network.
        recipe: Augmentation.
        seed: Seed of the augmentation.
        shadows: What casts shadows, or None.
        cache_bytes: Most memory for decoded frames.
        cache_folder: Where a file without a name is made for the frames beyond it.
    """

    def __init__(
        self,
        dataset: LabelledDataset,
        stems: Sequence[str],
        *,
        contract: PreprocessContract,
        recipe: Recipe,
        seed: int,
        shadows: Shadows | None = None,
        cache_bytes: int = _CACHE_BYTES,
        cache_folder: Path | None = None,
    ) -> None:
        frames = {frame.stem: frame for frame in dataset.frames}
        self._dataset = dataset
        self._frames = [frames[stem] for stem in stems]
        self._contract = contract
        self._recipe = recipe
        self._seed = seed
        self._shadows = shadows
        #: What pastes objects into frames before all else, or None; set once frames are decoded.
        self.paster: Paster | None = None
        self._store = FrameStore(
            [self._kept_hw(frame.size_hw) for frame in self._frames],
            memory_bytes=cache_bytes,
            folder=cache_folder,
        )

    @property
    def memory_bytes(self) -> int:
        """Memory that the frames take once all are decoded; what lies in the file not counted."""
        return self._store.memory_bytes

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, key: FrameKey) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image (h, w, 3) and class ids (h, w), uint8, as augmented in that epoch."""
        epoch, position = key
        image, mask = self.decoded(position)
        # By (seed, epoch, position): neither workers nor a resumed run change what is drawn.
        rng = np.random.default_rng([self._seed, epoch, position])
        if self.paster is not None:
            branch = np.random.default_rng([self._seed, epoch, position, _PASTE])
            image, mask = self.paster.paste(image, mask, rng=branch)
        image, mask = augment(image, mask, recipe=self._recipe, rng=rng, shadows=self._shadows)
        if self._recipe == "full":
            resize = PreprocessContract(self._contract.size_hw)  # cropped before the augmentation
            image, mask = resize.resize_frame(image), resize.resize_mask(mask)
        return image, mask

    def preload(self) -> None:
        """Decode every frame once, filling the store.

        Raises:
            DataError: Images or masks are damaged; all of them are listed.
            OSError: There is no room on the disk for the frames beyond the memory's bound.
        """
        faults = for_each(self._fault, range(len(self)), doing="reading frames")
        problems = [fault for fault in faults if fault is not None]
        if problems:
            raise DataError("images", problems)

    def batch(self, keys: Sequence[FrameKey]) -> Batch:
        """Return the frames of these keys as one batch."""
        return self.collate([self[key] for key in keys])

    def collate(self, frames: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> Batch:
        """Stack and standardise frames; the channels stay last in memory, as the network likes."""
        images = self._contract.normalize(np.stack([image for image, _ in frames]))
        masks = np.stack([mask for _, mask in frames])
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(masks)

    def decoded(self, position: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image and class ids as they are kept, before augmentation; not to write into."""
        kept = self._store.get(position)
        if kept is not None:
            return kept
        frame = self._frames[position]
        image, mask = self._dataset.image(frame), self._dataset.mask(frame)
        if self._recipe == "full":
            top, left, height, width = self._contract.crop_box((mask.shape[0], mask.shape[1]))
            window = np.s_[top : top + height, left : left + width]
            if (height, width) != mask.shape:  # not views, which would keep the whole frame
                image, mask = image[window].copy(), mask[window].copy()
        else:
            image, mask = self._contract.resize_frame(image), self._contract.resize_mask(mask)
        self._store.put(position, image, mask)
        return image, mask

    def _fault(self, position: int) -> str | None:
        try:
            self.decoded(position)
        except DataError as error:
            return str(error)
        return None

    def _kept_hw(self, frame_hw: tuple[int, int]) -> tuple[int, int]:
        if self._recipe != "full":
            return self._contract.size_hw
        return self._contract.crop_box(frame_hw)[2:]


@dataclass
class EpochBatches:
    """The frame keys of an epoch's batches, shuffled by (seed, epoch).

    Several processes share one global order: each takes its part of every global batch, so that
    their number does not change what a step sees. A last batch of a single frame is left out of a
    shuffled epoch, since batch statistics of one frame mislead; and one of fewer frames than there
    are processes, since each must take part in each step.

    Attributes:
        length: Number of frames.
        batch_size: Frames per batch and process.
        seed: Seed of the shuffle, or None for the given order.
        rank: Number of this process.
        world_size: Number of processes.
        epoch: Set by Lightning before each epoch.
    """

    length: int
    batch_size: int
    seed: int | None
    rank: int = 0
    world_size: int = 1
    epoch: int = 0

    @property
    def sampler(self) -> EpochBatches:
        """Itself: Lightning tells the epoch to a loader's ``batch_sampler.sampler`` alone."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration belongs to."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self.length, self.batch_size * self.world_size)
        return whole + self._keeps(rest)

    def __iter__(self) -> Iterator[list[FrameKey]]:
        order = list(range(self.length))
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order).tolist()
        step = self.batch_size * self.world_size
        for start in range(0, len(self) * step, step):
            positions = order[start : start + step]
            yield [(self.epoch, position) for position in positions[self.rank :: self.world_size]]

    def _keeps(self, rest: int) -> bool:
        if rest == 0 or rest < self.world_size:
            return False
        alone = rest == 1 and self.batch_size > 1 and self.length > 1
        return self.seed is None or not alone


class FrameSource(Protocol):
    """What a loader takes frames from: ``TrainingFrames``, or several of them mixed."""

    def __getitem__(self, key: FrameKey) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image (h, w, 3) and class ids (h, w), uint8, as augmented in that epoch."""

    def batch(self, keys: Sequence[FrameKey]) -> Batch:
        """Return the frames of these keys as one batch."""

    def collate(self, frames: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> Batch:
        """Stack and standardise frames."""


class PrefetchLoader:
    """Iterates over an epoch's batches while one thread prepares the next ones.

    Args:
        frames: Where frames come from.
        batches: Which frames make a batch; Lightning finds it as ``batch_sampler``.
    """

    def __init__(self, frames: FrameSource, batches: EpochBatches) -> None:
        self._frames = frames
        self.batch_sampler = batches

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        pending: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="frames") as pool:
            for keys in self.batch_sampler:
                pending.append(pool.submit(self._frames.batch, keys))
                if len(pending) > _BATCHES_AHEAD:
                    yield pending.popleft().result()
            rest = [batch.result() for batch in pending]
        # With the pool closed: Lightning counts the batches and drops the iterator after the last,
        # and a Ctrl-C that meets a finaliser waiting for a thread would be lost.
        yield from rest


def make_loader(
    frames: FrameSource, batches: EpochBatches, *, num_workers: int
) -> Iterable[Batch] | DataLoader[Batch]:
    """Return a loader with one thread, or with worker processes where ``num_workers`` asks.

    With worker processes OpenCV is left with one thread from here on.
    """
    if num_workers == 0:
        return PrefetchLoader(frames, batches)
    from torch.utils.data import DataLoader

    # A worker is a copy of this process. One that is made while a thread of OpenCV's pool holds the
    # pool's lock would wait for it for ever; with one thread there is no pool.
    cv2.setNumThreads(1)
    return DataLoader(
        frames,  # type: ignore[arg-type]  # a mapping by frame key; DataLoader only indexes it
        batch_sampler=batches,
        collate_fn=frames.collate,
        num_workers=num_workers,
        persistent_workers=True,
    )
