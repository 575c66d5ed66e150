"""Compare outlines: how many contour pixels of a mask lie near a contour of the label.

The boundary F of Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic
segmentation?" (BMVC 2013), as DAVIS counts it (Perazzi et al., CVPR 2016): precision is the share
of predicted contour pixels that have a labelled one within the tolerance, recall the other way.
Both papers average over images; here counts are pooled over frames first, as they are for IoU, so
that a frame with a sliver of a class weighs as little as the sliver.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX

__all__ = ["TOLERANCE_PX", "boundary_f", "contour_counts"]

#: How far apart two contours may lie, in pixels of the frame.
TOLERANCE_PX = 2

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def contour_counts(
    prediction: NDArray[np.uint8], label: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """Count the contour pixels of each class, and those that match.

    A contour pixel has one of another class above, below, left or right of it. The frame's edge
    and ignored pixels make no contour.

    Args:
        prediction: (H, W) uint8, class ids.
        label: (H, W) uint8, class ids or 255.
        num_classes: C.

    Returns:
        (C, 4) int64: predicted contour pixels, those near a labelled one, labelled contour pixels,
        those near a predicted one.
    """
    ignored = label == IGNORE_INDEX
    counts = np.zeros((num_classes, 4), np.int64)
    near = _disk(TOLERANCE_PX)
    for class_id in range(num_classes):
        predicted = _contour(prediction == class_id, ignored)
        labelled = _contour(label == class_id, ignored)
        counts[class_id, :2] = _matched(predicted, cv2.dilate(labelled, near))
        counts[class_id, 2:] = _matched(labelled, cv2.dilate(predicted, near))
    return counts


def boundary_f(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F by class from pooled counts: (C, 4) to (C,), NaN where no side has a contour.

    >>> boundary_f(np.array([[4, 2, 8, 4], [0, 0, 5, 0], [0, 0, 0, 0]]))
    array([0.5, 0. , nan])
    """
    predicted, predicted_near, labelled, labelled_near = counts.T.astype(np.float64)
    occurs = predicted + labelled > 0
    precision = np.divide(predicted_near, predicted, out=np.zeros(len(counts)), where=predicted > 0)
    recall = np.divide(labelled_near, labelled, out=np.zeros(len(counts)), where=labelled > 0)
    both = precision + recall
    f = np.divide(2 * precision * recall, both, out=np.zeros(len(counts)), where=both > 0)
    return np.where(occurs, f, np.nan)


def _matched(contour: NDArray[np.uint8], reach: NDArray[np.uint8]) -> tuple[int, int]:
    """Count the pixels of a contour, and those of them within reach of the other one."""
    return cv2.countNonZero(contour), cv2.countNonZero(cv2.bitwise_and(contour, reach))


def _contour(inside: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return (H, W) uint8, 1 on the contour of a class."""
    own = (inside & ~ignored).astype(np.uint8)
    others = (~inside & ~ignored).astype(np.uint8)
    return np.asarray(cv2.bitwise_and(own, cv2.dilate(others, _CROSS)), np.uint8)


def _disk(radius: int) -> NDArray[np.uint8]:
    steps = np.arange(-radius, radius + 1) ** 2
    return (steps[:, None] + steps <= radius**2).astype(np.uint8)
