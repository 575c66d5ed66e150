"""How well a model's mask fits a frame's label: by this number disagreement is ranked.

A frame on which a trained model and the label disagree is worth a look: one of the two is wrong.
Called by ``review.scan`` and by ``wristseg qa``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True)
class Agreement:
    """How well a model's mask fits a frame's label.

    Attributes:
        iou: Mean IoU over the classes on the label or the mask, 0 to 1.
        worst: Id of the class with the lowest IoU, or None where nothing is labelled.
    """

    iou: float
    worst: int | None


def agreement(label: NDArray[np.uint8], mask: NDArray[np.uint8], *, num_classes: int) -> Agreement:
    """Compare a model's mask with a label; both (H, W) uint8 class ids.

    Pixels that nobody drew (0) or that are to be ignored (255) do not count: nothing is said there.
    Class 0 has no IoU of its own; where the model says it, it misses the class of the label.

    >>> label = np.array([[1, 1, 2, 2]], np.uint8)
    >>> agreement(label, np.array([[1, 1, 2, 1]], np.uint8), num_classes=3)
    Agreement(iou=0.5833333333333333, worst=2)
    """
    counted = (label != 0) & (label != IGNORE_INDEX)
    pairs = label[counted].astype(np.int64) * num_classes + mask[counted]
    table = np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
    union = table.sum(0) + table.sum(1) - table.diagonal()
    present = 1 + np.flatnonzero(union[1:])
    if present.size == 0:
        return Agreement(1.0, None)
    ious = table.diagonal()[present] / union[present]
    return Agreement(float(ious.mean()), int(present[ious.argmin()]))
