"""Compare a model's masks with labels, frame by frame and pooled.

In: a loaded model and labelled frames. Out: one confusion matrix over all frames, from which the
figures follow, and one IoU per frame, by which the report finds the best and the worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.data.progress import with_progress
from wristseg.errors import DataError
from wristseg.metrics import class_iou, confusion_matrix, mean_iou
from wristseg.predict import Segmenter

__all__ = ["Evaluation", "FrameResult", "evaluate", "segment_labelled"]


@dataclass(frozen=True)
class FrameResult:
    """How well one frame was segmented.

    Attributes:
        frame: The labelled frame.
        iou: Mean IoU over the classes in this frame's label or prediction.
    """

    frame: LabelledFrame
    iou: float


@dataclass(frozen=True)
class Evaluation:
    """Result over a set of frames.

    Attributes:
        classes: Class table of the model.
        confusion: (C, C) int64, pooled pixel counts, rows are true classes.
        frames: One result per frame, in the order given.
    """

    classes: ClassTable
    confusion: NDArray[np.int64]
    frames: tuple[FrameResult, ...]

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur; the same number as training's val/iou."""
        return mean_iou(self.confusion)

    def class_iou(self) -> dict[str, float]:
        """Return IoU by class name; NaN for a class that never occurs."""
        return dict(zip(self.classes.names, map(float, class_iou(self.confusion)), strict=True))

    def ranked(self) -> list[FrameResult]:
        """Return the frames from worst to best."""
        return sorted(self.frames, key=lambda result: result.iou)


def evaluate(
    segmenter: Segmenter, labels: LabelledDataset, frames: Sequence[LabelledFrame]
) -> Evaluation:
    """Segment frames and count agreement at the network's size, as training's validation does.

    Args:
        segmenter: The model.
        labels: The data set that holds the frames' masks.
        frames: Which of its frames to use.

    Raises:
        DataError: The data set has other classes than the model, or a frame cannot be read.
    """
    if labels.classes.names != segmenter.classes.names:
        problem = f"classes are {labels.classes.names}, the model's {segmenter.classes.names}"
        raise DataError(labels.layout.images_dir, problem)
    num_classes = len(segmenter.classes)
    pooled = np.zeros((num_classes, num_classes), np.int64)
    results = []
    for frame in with_progress(frames, total=len(frames), doing="validating"):
        prediction = segmenter.predict_network_ids(labels.image(frame))
        label = segmenter.info.preprocess.resize_mask(labels.mask(frame))
        counts = confusion_matrix(prediction, label, num_classes)
        pooled += counts
        results.append(FrameResult(frame, mean_iou(counts)))
    return Evaluation(segmenter.classes, pooled, tuple(results))


def segment_labelled(
    segmenter: Segmenter, labels: LabelledDataset, frame: LabelledFrame
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a frame, its label and the model's mask, all at the frame's size.

    Returns:
        (H, W, 3) uint8 RGB, (H, W) uint8 class ids, (H, W) uint8 class ids.
    """
    frame_rgb = labels.image(frame)
    return frame_rgb, labels.mask(frame), segmenter.predict_rgb(frame_rgb)
