"""What is wrong in a mask, taken apart so that the same errors can be made on purpose.

Four kinds, at the size of the observation:

- **boundary**: a pixel of class a is called b, and a true b lies within ``REACH_PX``. Described by
  how far the outlines of each class moved.
- **confusion**: it is called b, and no b is that near. Described by shares of the pixels of a,
  apart for those near an outline of a and those within.
- **missed** object: less than half of its pixels were found. Its pixels count nowhere else.
- **false** object: a region of it that touches no true pixel of it; counts nowhere else either.

In: two masks. Out: ``FrameErrors``. Called by the fit of ``MaskNoise`` and, for the distances, by
``policy.corrupt``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NO_OBJECT",
    "REACH_PX",
    "FalseRegion",
    "FrameErrors",
    "class_distances",
    "frame_errors",
    "inner_distances",
    "least_pixels",
]

#: How far an outline may move and still be the same outline, pixels of the observation.
REACH_PX = 3.0
NO_OBJECT = -1

_FOUND = 0.5
_LEAST_SHARE = 1 / 2000  # as in wristseg val: a square of 12 px at 640x480


@dataclass(frozen=True)
class FalseRegion:
    """A false object: its size in pixels, and the class that is there in truth."""

    pixels: int
    under: int


@dataclass(frozen=True)
class FrameErrors:
    """The errors of one mask.

    Attributes:
        shares: (2, C, C) float64; of the true pixels of a class, row, how many are confused with
            another, column; near an outline, then within. NaN in rows of classes without pixels.
        moved_px: By class, how far each pixel of a predicted outline lies outside the true one.
        outline_xy: By class, where these pixels are, (n, 2).
        blob_px: Length over which its pixels are confused together; NaN without confusions.
        areas: (C,) float64, share of the mask that each class takes in truth.
        object_pixels: True pixels of the object.
        kept: Share of the object's pixels that was found; NaN where it is not there.
        taken_for: (C,) int64, what the pixels of a missed object were called.
        false_regions: The false objects.
    """

    shares: NDArray[np.float64]
    moved_px: tuple[NDArray[np.float64], ...]
    outline_xy: tuple[NDArray[np.int64], ...]
    blob_px: float
    areas: NDArray[np.float64]
    object_pixels: int
    kept: float
    taken_for: NDArray[np.int64]
    false_regions: tuple[FalseRegion, ...]

    @property
    def missed(self) -> bool:
        """Whether the object is there and was not found."""
        return self.kept < _FOUND


def class_distances(ids: NDArray[np.uint8], num_classes: int) -> NDArray[np.float32]:
    """Return how far each pixel is from the nearest one of each class.

    Args:
        ids: (H, W) uint8.
        num_classes: C.

    Returns:
        (C, H, W) float32, pixels; 0 on the class, infinity where it does not occur.
    """
    found = np.full((num_classes, *ids.shape), np.inf, np.float32)
    for class_id in np.unique(ids[ids < num_classes]):
        elsewhere = (ids != class_id).astype(np.uint8)
        found[class_id] = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_5)
    return found


def inner_distances(ids: NDArray[np.uint8], distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far each pixel is from the nearest one of another class: (H, W) float32."""
    inner = np.full(ids.shape, np.inf, np.float32)
    for class_id, outer in enumerate(distances):
        np.minimum(inner, outer, out=inner, where=ids != class_id)
    return inner


def least_pixels(shape: tuple[int, ...]) -> int:
    """Return from how many pixels on a region counts as an object."""
    return max(1, int(np.ceil(shape[0] * shape[1] * _LEAST_SHARE)))


def frame_errors(
    truth: NDArray[np.uint8], seen: NDArray[np.uint8], *, num_classes: int, object_id: int
) -> FrameErrors:
    """Take the errors of one mask apart.

    Args:
        truth: (H, W) uint8, class ids; those of no class (255) count nowhere.
        seen: (H, W) uint8, class ids, the mask with the errors.
        num_classes: C.
        object_id: Class that can be missed or false; ``NO_OBJECT`` where there is none.
    """
    distances = class_distances(truth, num_classes)
    inner = inner_distances(truth, distances)
    counted = truth < num_classes
    of_object = counted & (truth == object_id)
    kept, taken_for = np.nan, np.zeros(num_classes, np.int64)
    if np.count_nonzero(of_object) >= least_pixels(truth.shape):
        kept = float((seen[of_object] == object_id).mean())
        if kept < _FOUND:
            others = seen[of_object & (seen != object_id)]
            taken_for = np.bincount(others, minlength=num_classes)
            counted = counted & ~of_object
    regions, falsely = _false_regions(truth, seen, object_id)
    counted = counted & ~falsely
    moved, where = _moved_outlines(
        np.where(counted, seen, num_classes), truth, distances, inner, num_classes
    )
    confused = np.take_along_axis(distances, seen[None].astype(np.int64), axis=0)[0] > REACH_PX
    shares = _confusions(truth, seen, inner, counted, confused, num_classes=num_classes)
    blob_px = _blob_length(truth, counted, confused)
    areas = np.bincount(truth.ravel(), minlength=num_classes)[:num_classes] / truth.size
    pixels = int(np.count_nonzero(of_object))
    return FrameErrors(shares, moved, where, blob_px, areas, pixels, kept, taken_for, regions)


def _false_regions(
    truth: NDArray[np.uint8], seen: NDArray[np.uint8], object_id: int
) -> tuple[tuple[FalseRegion, ...], NDArray[np.bool_]]:
    count, regions, facts, _ = cv2.connectedComponentsWithStats(
        (seen == object_id).astype(np.uint8), connectivity=8
    )
    found, falsely = [], np.zeros(truth.shape, bool)
    for region in range(1, count):
        inside = regions == region
        pixels = int(facts[region, cv2.CC_STAT_AREA])
        below = truth[inside]
        if pixels >= least_pixels(truth.shape) and not (below == object_id).any():
            found.append(FalseRegion(pixels, int(np.bincount(below).argmax())))
            falsely |= inside
    return tuple(found), falsely


def _moved_outlines(
    seen: NDArray[np.int64] | NDArray[np.uint8],
    truth: NDArray[np.uint8],
    distances: NDArray[np.float32],
    inner: NDArray[np.float32],
    num_classes: int,
) -> tuple[tuple[NDArray[np.float64], ...], tuple[NDArray[np.int64], ...]]:
    """Return by class how far outlines moved (outwards is positive), and where they are."""
    moved, where = [], []
    # The frame's edge is no outline.
    padded = np.pad(seen, 1, mode="edge")
    neighbours = np.stack(
        [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    )
    outline = ((neighbours != seen) & (neighbours < num_classes)).any(axis=0)
    for class_id in range(num_classes):
        rows, columns = np.nonzero(outline & (seen == class_id))
        outside = distances[class_id][rows, columns]
        within = 1.0 - inner[rows, columns]  # a pixel at the outline itself has moved by 0
        far = np.where(truth[rows, columns] == class_id, within, outside).astype(np.float64)
        near = np.abs(far) <= REACH_PX
        moved.append(far[near])
        where.append(np.stack([columns, rows], axis=1)[near])
    return tuple(moved), tuple(where)


def _confusions(
    truth: NDArray[np.uint8],
    seen: NDArray[np.uint8],
    inner: NDArray[np.float32],
    counted: NDArray[np.bool_],
    confused: NDArray[np.bool_],
    *,
    num_classes: int,
) -> NDArray[np.float64]:
    shares = np.full((2, num_classes, num_classes), np.nan)
    for zone, pixels in enumerate((inner <= REACH_PX, inner > REACH_PX)):
        for class_id in range(num_classes):
            own = counted & pixels & (truth == class_id)
            if own.any():
                wrong = np.bincount(seen[own & confused], minlength=num_classes)
                shares[zone, class_id] = wrong / np.count_nonzero(own)
    return shares


def _blob_length(
    truth: NDArray[np.uint8], counted: NDArray[np.bool_], confused: NDArray[np.bool_]
) -> float:
    """Return over which length pixels are confused together.

    A blurred field crosses the level u per pixel of a line exp(-u^2 / 2) / (pi sqrt(2) s) times
    (Rice's formula, see ``policy.corrupt``); u follows from the share of confused pixels.
    """
    expected = crossings = 0.0
    for class_id in np.unique(truth[counted]):
        own = counted & (truth == class_id)
        share = float(confused[own].mean())
        if not 0.0 < share < 1.0:
            continue
        level = NormalDist().inv_cdf(1.0 - share)
        for axis in (0, 1):
            a, b = (np.take(own, range(k, own.shape[axis] - 1 + k), axis) for k in (0, 1))
            change = np.diff(confused, axis=axis)
            expected += np.count_nonzero(a & b) * math.exp(-(level**2) / 2.0)
            crossings += np.count_nonzero(a & b & change)
    if crossings == 0.0:
        return math.nan
    return expected / (math.pi * math.sqrt(2.0) * crossings)
