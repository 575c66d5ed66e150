"""The model's masks, and how far they are from the labels.

A frame on which a trained model and the label disagree is worth a look: one of the two is wrong.
The model is handed in by the command, so that this stage knows no runtime. Called by
``review.pictures`` and ``review.scan``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX, ClassTable
from wristseg.errors import UsageError

__all__ = ["Agreement", "Model", "agreement"]


@dataclass(frozen=True)
class Model:
    """What predicts masks.

    Attributes:
        name: Its file, as the page shows it.
        sha256: What tells it from other models; masks are kept under it.
        classes: Its class table.
        predict_rgb: From (H, W, 3) uint8 RGB to (H, W) uint8 class ids; called from any thread.
    """

    name: str
    sha256: str
    classes: ClassTable
    predict_rgb: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

    def require_classes(self, classes: ClassTable) -> None:
        """Refuse a model of other classes than the data set's.

        Raises:
            UsageError: The names differ.
        """
        if self.classes.names != classes.names:
            own, theirs = ", ".join(self.classes.names), ", ".join(classes.names)
            raise UsageError(
                f"{self.name} predicts {own}; the data set has {theirs}; give a model that was"
                " trained on these classes"
            )


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
