"""Segmentation metrics from one pooled confusion matrix.

The mean IoU over classes that occur in labels or predictions is what torchmetrics calls the macro
Jaccard index; a test holds the two equal. Source: https://en.wikipedia.org/wiki/Jaccard_index
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX

__all__ = ["class_iou", "confusion_matrix", "mean_iou"]


def confusion_matrix(
    prediction: NDArray[np.uint8], target: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    """Count pixels by (true class, predicted class); target pixels of 255 are left out.

    Args:
        prediction: Any shape, uint8, class ids below ``num_classes``.
        target: The same shape, uint8, class ids or 255.
        num_classes: C.

    Returns:
        (C, C) int64, rows are true classes, columns predicted ones.

    Raises:
        ValueError: The shapes differ or an id is out of range.

    >>> confusion_matrix(np.array([0, 1, 1], np.uint8), np.array([0, 0, 255], np.uint8), 2)
    array([[1, 1],
           [0, 0]])
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction is {prediction.shape}, target is {target.shape}")
    kept = target != IGNORE_INDEX
    true_ids, predicted_ids = target[kept], prediction[kept]
    highest = max(true_ids.max(initial=0), predicted_ids.max(initial=0))
    if highest >= num_classes:
        raise ValueError(f"class id {highest} with {num_classes} classes")
    pairs = true_ids.astype(np.int64) * num_classes + predicted_ids
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64, copy=False)


def class_iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (C,) float64, intersection over union per class; NaN where a class never occurs."""
    intersection = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
    iou = np.full(len(union), np.nan)
    np.divide(intersection, union, out=iou, where=union > 0)
    return iou


def mean_iou(confusion: NDArray[np.int64]) -> float:
    """Return the mean IoU over the classes that occur in labels or predictions; NaN if none."""
    iou = class_iou(confusion)
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")
