"""Compare a model's masks with labels, frame by frame.

In: a loaded model and labelled frames. Out: pixel counts, contour counts and the object of each
frame, from which ``evaluate.figures`` makes every figure and by which the report finds the worst
frames. Masks are compared twice: at the network's size, which gives training's val/iou, and at the
frame's size, which is what a user of the masks gets. What a centre crop cuts off counts in neither.
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
from wristseg.evaluate.boundary import contour_counts
from wristseg.evaluate.objects import ObjectResult, judge_object, object_id_of
from wristseg.metrics import class_iou, confusion_matrix, mean_iou
from wristseg.model_info import ModelInfo
from wristseg.predict import Segmenter

__all__ = ["Evaluation", "FrameResult", "evaluate", "named_iou", "segment", "segment_labelled"]


@dataclass(frozen=True)
class FrameResult:
    """How well one frame was segmented.

    Attributes:
        frame: The labelled frame.
        network: (C, C) int64, pixel counts at the network's size, rows are true classes.
        full: (C, C) int64, the same at the frame's size.
        contours: (C, 4) int64, see ``contour_counts``; at the frame's size.
        object: The object's class in this frame; None where there is no such class.
    """

    frame: LabelledFrame
    network: NDArray[np.int64]
    full: NDArray[np.int64]
    contours: NDArray[np.int64]
    object: ObjectResult | None

    @property
    def iou(self) -> float:
        """Mean IoU at the frame's size over the named classes in label or prediction; else NaN."""
        return named_iou(self.full)


@dataclass(frozen=True)
class Evaluation:
    """Result over a set of frames.

    Attributes:
        classes: Class table of the model.
        object_id: Class that is judged as an object, or None.
        frames: One result per frame, in the order given.
    """

    classes: ClassTable
    object_id: int | None
    frames: tuple[FrameResult, ...]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(C, C) int64, counts at the network's size, pooled over the frames."""
        return np.asarray(np.sum([result.network for result in self.frames], axis=0), np.int64)

    @property
    def full_confusion(self) -> NDArray[np.int64]:
        """(C, C) int64, the same at the frame's size."""
        return np.asarray(np.sum([result.full for result in self.frames], axis=0), np.int64)

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur; the same number as training's val/iou."""
        return mean_iou(self.confusion)

    def class_iou(self) -> dict[str, float]:
        """Return IoU by class name; NaN for a class that never occurs."""
        return dict(zip(self.classes.names, map(float, class_iou(self.confusion)), strict=True))

    def ranked(self) -> list[FrameResult]:
        """Return the frames from worst to best; those without a named class come last."""
        return sorted(self.frames, key=lambda result: np.nan_to_num(result.iou, nan=2.0))


def evaluate(
    segmenter: Segmenter,
    labels: LabelledDataset,
    frames: Sequence[LabelledFrame],
    *,
    object_class: str | None = None,
) -> Evaluation:
    """Segment frames and compare them with their labels.

    Args:
        segmenter: The model.
        labels: The data set that holds the frames' masks.
        frames: Which of its frames to use.
        object_class: Class that is judged as an object; None for ``cube``, if there is one.

    Raises:
        UsageError: There is no class of that name.
        DataError: The data set has other classes than the model, or a frame cannot be read.
    """
    classes = segmenter.classes
    if labels.classes.names != classes.names:
        problem = f"classes are {labels.classes.names}, the model's {classes.names}"
        raise DataError(labels.layout.images_dir, problem)
    object_id = object_id_of(classes, object_class)
    results = []
    for frame in with_progress(frames, total=len(frames), doing="validating"):
        masks = segment(segmenter, labels.image(frame))
        label = labels.mask(frame)
        results.append(_compare(frame, label, masks, info=segmenter.info, object_id=object_id))
    return Evaluation(classes, object_id, tuple(results))


def _compare(
    frame: LabelledFrame,
    label: NDArray[np.uint8],
    masks: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    *,
    info: ModelInfo,
    object_id: int | None,
) -> FrameResult:
    """Count agreement of a label with the masks at the network's and at the frame's size."""
    contract, count = info.preprocess, len(info.classes)
    top, left, height, width = contract.crop_box(frame.size_hw)
    seen = np.s_[top : top + height, left : left + width]
    network, full = masks[0], masks[1][seen]
    return FrameResult(
        frame,
        network=confusion_matrix(network, contract.resize_mask(label), count),
        full=confusion_matrix(full, label[seen], count),
        contours=contour_counts(full, label[seen], count),
        object=None if object_id is None else judge_object(full, label[seen], object_id),
    )


def named_iou(confusion: NDArray[np.int64]) -> float:
    """Return the mean IoU over the classes from 1 on that occur; NaN if none.

    Class 0 is what nobody drew: gaps of a pixel between outlines, which weigh as much as the table
    in a mean over all classes. Its pixels still count as errors of the class they were taken for.
    """
    iou = class_iou(confusion)[1:]
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")


def segment(
    segmenter: Segmenter, frame_rgb: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a frame's mask at the network's size and at its own, computed once.

    Args:
        segmenter: The model.
        frame_rgb: (H, W, 3) uint8, RGB.

    Returns:
        (h, w) uint8 and (H, W) uint8, class ids.

    Raises:
        DataError: The model was exported for frames of another size.
    """
    contract, export = segmenter.info.preprocess, segmenter.info.export
    if export is not None and export.frame_hw != contract.size_hw:
        full = segmenter.predict_rgb(frame_rgb)
        return contract.resize_mask(full), full
    network = segmenter.predict_network_ids(frame_rgb)
    return network, contract.restore_mask(network, (frame_rgb.shape[0], frame_rgb.shape[1]))


def segment_labelled(
    segmenter: Segmenter, labels: LabelledDataset, frame: LabelledFrame
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a frame, its label and the model's mask, all at the frame's size.

    Returns:
        (H, W, 3) uint8 RGB, (H, W) uint8 class ids, (H, W) uint8 class ids.
    """
    frame_rgb = labels.image(frame)
    return frame_rgb, labels.mask(frame), segmenter.predict_rgb(frame_rgb)
