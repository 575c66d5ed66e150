"""Lay a frame's label over what a model says of it, and count: the evidence of ``wristseg qa``.

In: the label's class ids and the model's probabilities, both at the network's size. Out: a
``Measured`` of a hundred numbers per frame, from which ``qa_judge`` tells what is wrong. Class 0 is
what nobody drew; a model may learn it, but here only the named classes compete, since a gap between
outlines is no thing that could be mistaken for another. Called by ``qa``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX

__all__ = ["Measured", "OtherOrder", "Region", "least_pixels", "measure"]

#: Regions below this share of the frame are not judged: 12 pixels of 84x84, 512 of 640x480. At
#: these sizes the label itself is only good to a pixel.
_LEAST_SHARE = 1 / 600


@dataclass(frozen=True)
class Region:
    """A connected region that the model gives to one class.

    Attributes:
        class_id: The class.
        pixels: Its size at the network's size.
        sure: Mean probability of the class over it, 0 to 1.
        labelled: Share of it that the label gives to that class, 0 to 1.
        under: The class that the label gives most of it; 0 where nobody drew.
    """

    class_id: int
    pixels: int
    sure: float
    labelled: float
    under: int

    @property
    def weight(self) -> float:
        """Pixels times confidence."""
        return self.pixels * self.sure


@dataclass(frozen=True)
class OtherOrder:
    """What another draw order would make of a frame.

    Attributes:
        tag: Name of the order.
        pixels: Pixels that would change, at the network's size.
        gain: How much more probable the changed pixels would be by the model, -1 to 1.
    """

    tag: str
    pixels: int
    gain: float


@dataclass(frozen=True)
class Measured:
    """Label and prediction of one frame, side by side. C counts class 0 too; its rows stay empty.

    Attributes:
        labelled: (C,) int64, labelled pixels of each class.
        predicted: (C,) int64, predicted ones.
        both: (C,) int64, pixels on which the two agree.
        shares: (C, C) float64, row k: what the model makes of the pixels labelled k, mean
            probabilities that sum to 1; NaN where nothing is labelled k.
        centres_xy: (2, C, 2) float64, centres of the labelled and of the predicted pixels, as
            shares of width and height; NaN where there are none.
        regions: Predicted regions of which a tenth or less is labelled so.
        orders: What the other draw orders would change; none where they change nothing.
        pixels: Pixels that are judged; ignored ones are not.
    """

    labelled: NDArray[np.int64]
    predicted: NDArray[np.int64]
    both: NDArray[np.int64]
    shares: NDArray[np.float64]
    centres_xy: NDArray[np.float64]
    regions: tuple[Region, ...]
    orders: tuple[OtherOrder, ...]
    pixels: int

    @property
    def iou(self) -> NDArray[np.float64]:
        """(C,) float64, IoU of each class; NaN where neither side has it."""
        union = (self.labelled + self.predicted - self.both).astype(np.float64)
        iou = np.full(union.size, np.nan)
        np.divide(self.both, union, out=iou, where=union > 0)
        return iou


def least_pixels(pixels: int) -> int:
    """Return how many pixels a region needs to be judged, of a frame of so many."""
    return max(4, round(pixels * _LEAST_SHARE))


def measure(
    label: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    *,
    others: Mapping[str, NDArray[np.uint8]] | None = None,
) -> Measured:
    """Count how label and prediction of one frame agree.

    Args:
        label: (h, w) uint8, class ids or 255, at the network's size.
        probabilities: (C, h, w) float32, softmax over the classes.
        others: (h, w) uint8 each, the same annotations drawn in other orders, by tag.
    """
    classes = len(probabilities)
    named = _named(probabilities)
    ids = named.argmax(axis=0).astype(np.uint8)
    valid = label != IGNORE_INDEX
    ids[~valid] = IGNORE_INDEX
    of_label = [label == class_id for class_id in range(classes)]
    of_model = [ids == class_id for class_id in range(classes)]
    of_label[0] = np.zeros_like(valid)  # nobody said anything there
    shares = np.full((classes, classes), np.nan)
    for class_id, inside in enumerate(of_label):
        if inside.any():
            shares[class_id] = named[:, inside].mean(axis=1)
    return Measured(
        labelled=np.array([inside.sum() for inside in of_label], np.int64),
        predicted=np.array([inside.sum() for inside in of_model], np.int64),
        both=np.array([(a & b).sum() for a, b in zip(of_label, of_model, strict=True)], np.int64),
        shares=shares,
        centres_xy=np.array([[_centre(m) for m in side] for side in (of_label, of_model)]),
        regions=_regions(label, ids, named),
        orders=_orders(label, named, others or {}),
        pixels=int(valid.sum()),
    )


def _named(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities with class 0 ruled out; each pixel's still sum to 1."""
    named = np.maximum(probabilities, np.finfo(np.float32).tiny)
    named[0] = 0
    return np.asarray(named / named.sum(axis=0), np.float32)


def _centre(inside: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(inside)
    if rows.size == 0:
        return float("nan"), float("nan")
    height, width = inside.shape
    return float(columns.mean() + 0.5) / width, float(rows.mean() + 0.5) / height


def _regions(
    label: NDArray[np.uint8], ids: NDArray[np.uint8], named: NDArray[np.float32]
) -> tuple[Region, ...]:
    """Return the predicted regions, large enough to be judged, that the label hardly has."""
    least, found = least_pixels(label.size), []
    for class_id in range(1, len(named)):
        count, numbers, stats, _ = cv2.connectedComponentsWithStats(
            (ids == class_id).astype(np.uint8), connectivity=4
        )
        for number in range(1, count):
            if stats[number, cv2.CC_STAT_AREA] < least:
                continue
            inside = numbers == number
            below = np.bincount(label[inside], minlength=len(named))
            share = float(below[class_id] / inside.sum())
            if share <= _HARDLY:
                sure = float(named[class_id][inside].mean())
                found.append(Region(class_id, int(inside.sum()), sure, share, int(below.argmax())))
    return tuple(found)


#: A region of which no more than this share is labelled so is one that the label does not have.
_HARDLY = 0.1


def _orders(
    label: NDArray[np.uint8],
    named: NDArray[np.float32],
    others: Mapping[str, NDArray[np.uint8]],
) -> tuple[OtherOrder, ...]:
    found = []
    for tag, other in others.items():
        changed = (label != other) & (label != IGNORE_INDEX) & (label > 0) & (other > 0)
        if changed.any():
            rows, columns = np.nonzero(changed)
            own = named[label[changed], rows, columns]
            gain = named[other[changed], rows, columns] - own
            found.append(OtherOrder(tag, int(changed.sum()), float(gain.mean())))
    return tuple(found)
