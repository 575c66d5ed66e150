"""Compare an exported model with its checkpoint: the same masks, as good and as fast?

In: two functions from a frame to a mask, and frames. Out: ``Parity`` and latencies, which the gate
judges and the report tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.data.progress import with_progress
from wristseg.export.frames import ComparedFrame
from wristseg.metrics import class_iou, confusion_matrix, mean_iou
from wristseg.preprocess import PreprocessContract

__all__ = ["FrameAgreement", "Parity", "Predict", "compare", "latencies_ms"]

#: From a (H, W, 3) uint8 frame to (H, W) uint8 class ids.
Predict: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

#: Idle threads of one runtime spin for a while and slow the next one down, so that the runtimes
#: take turns of several frames, and the first of a turn do not count.
_TURN, _TURN_WARM_UP = 12, 4


@dataclass(frozen=True)
class FrameAgreement:
    """One frame.

    Attributes:
        frame: Which.
        differing: Pixels that have another class.
        pixels: All pixels that the network sees.
    """

    frame: ComparedFrame
    differing: int
    pixels: int

    @property
    def agreement(self) -> float:
        """Share of its pixels that have the same class."""
        return 1.0 - self.differing / self.pixels


@dataclass(frozen=True)
class Parity:
    """How alike the masks of a checkpoint and of its export are.

    Attributes:
        frames: One entry per frame, in order.
        confusions: Pooled (C, C) int64 pixel counts against labels of the checkpoint and of the
            export, at the network's size as in training; None without labels.
    """

    frames: tuple[FrameAgreement, ...]
    confusions: tuple[NDArray[np.int64], NDArray[np.int64]] | None

    @property
    def agreement(self) -> float:
        """Share of all pixels that have the same class."""
        differing = sum(frame.differing for frame in self.frames)
        return 1.0 - differing / sum(frame.pixels for frame in self.frames)

    @property
    def worst(self) -> FrameAgreement:
        """The frame in which the fewest pixels agree."""
        return min(self.frames, key=lambda frame: frame.agreement)

    def val_iou(self) -> tuple[float, float] | None:
        """Return val/iou of the checkpoint and of the export, or None without labels."""
        if self.confusions is None:
            return None
        before, after = self.confusions
        return mean_iou(before), mean_iou(after)

    def class_iou(self, classes: ClassTable) -> dict[str, tuple[float, float]]:
        """Return IoU of checkpoint and export by class; empty without labels."""
        if self.confusions is None:
            return {}
        before, after = (class_iou(confusion) for confusion in self.confusions)
        return {name: (float(before[i]), float(after[i])) for i, name in enumerate(classes.names)}


def compare(
    checkpoint: Predict,
    export: Predict,
    frames: Sequence[ComparedFrame],
    *,
    camera_hw: tuple[int, int] | None,
    contract: PreprocessContract,
    num_classes: int,
) -> Parity:
    """Predict each frame with both and count where they agree.

    Args:
        checkpoint: The reference; takes RGB frames, as ``export`` does.
        export: What is judged.
        frames: At least one; all labelled, or none.
        camera_hw: Size at which frames are given to both; None for their own.
        contract: Of the checkpoint.
        num_classes: C.

    Raises:
        DataError: A frame cannot be read.
    """
    agreements = []
    pooled = np.zeros((2, num_classes, num_classes), np.int64)
    labelled = all(frame.label is not None for frame in frames)
    for frame in with_progress(frames, total=len(frames), doing="comparing masks"):
        image, label = frame.read(camera_hw)
        masks = checkpoint(image), export(image)
        # What a crop cuts off is 0 in both and says nothing.
        top, left, height, width = contract.crop_box((image.shape[0], image.shape[1]))
        seen = np.s_[top : top + height, left : left + width]
        differing = int(np.count_nonzero(masks[0][seen] != masks[1][seen]))
        agreements.append(FrameAgreement(frame, differing, height * width))
        if label is not None:
            target = contract.resize_mask(label)
            for side, mask in enumerate(masks):
                ids = contract.resize_mask(mask)
                pooled[side] += confusion_matrix(ids, target, num_classes)
    return Parity(tuple(agreements), (pooled[0], pooled[1]) if labelled else None)


def latencies_ms(
    contestants: Mapping[str, Predict], frame: NDArray[np.uint8], *, seconds: float
) -> dict[str, dict[str, float]]:
    """Time contestants on one frame, in turns.

    Args:
        contestants: Functions by name.
        frame: (H, W, 3) uint8, RGB.
        seconds: About how long to measure in all; each has at least one turn.

    Returns:
        By name p50, p95, p99 and number of frames; times in milliseconds.
    """
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    ends = time.perf_counter() + seconds
    while True:
        for name, predict in contestants.items():
            measured[name] += [_once_ms(predict, frame) for _ in range(_TURN)][_TURN_WARM_UP:]
        if time.perf_counter() >= ends:
            break
    return {name: _percentiles(times) for name, times in measured.items()}


def _once_ms(predict: Predict, frame: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    predict(frame)
    return 1000 * (time.perf_counter() - started)


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    figures = {f"p{q}": round(float(np.percentile(times, q)), 3) for q in (50, 95, 99)}
    return {**figures, "frames": len(times)}
