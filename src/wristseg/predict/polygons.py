"""Masks as polygons that annotation tools edit: outlines along pixel borders, holes kept.

A COCO polygon has no holes of its own, and the parts of one annotation are joined. So a hole is
reached by a cut of no width: the outline goes there and back, around the hole in between. Unless it
is simplified, an outline drawn again by pycocotools gives the same pixels, bit for bit: it changes
a pixel where an outline passes above its centre, and a cut passes twice. Called by ``predict.coco``
and by the stage ``labeling``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["RegionOutline", "outlines"]

_Point = tuple[int, int]


@dataclass(frozen=True)
class RegionOutline:
    """One connected region as a polygon.

    Attributes:
        points_xy: (P, 2) float64, corners in pixels; the last is joined with the first.
        pixels: Pixels of the region, holes left out.
        bbox_xywh: Left, top, width and height in pixels.
    """

    points_xy: NDArray[np.float64]
    pixels: int
    bbox_xywh: tuple[int, int, int, int]


def outlines(region: NDArray[np.uint8], *, tolerance_px: float = 0.0) -> list[RegionOutline]:
    """Return the outline of each connected region of a mask.

    Args:
        region: (H, W) uint8, everything but 0 is inside. Pixels that touch at a corner alone are
            not connected.
        tolerance_px: How far a simplified outline may lie from the pixels' borders; 0 keeps every
            corner. Rings that would collapse keep theirs too.

    Returns:
        One outline per region, from top to bottom.

    >>> ring = np.ones((3, 3), np.uint8)
    >>> ring[1, 1] = 0
    >>> [outline] = outlines(ring)
    >>> outline.points_xy.astype(int).tolist()  # around, and from (0, 0) to the hole and back
    [[0, 0], [1, 1], [1, 2], [2, 2], [2, 1], [1, 1], [0, 0], [3, 0], [3, 3], [0, 3]]
    """
    inside = np.asarray(region != 0, np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    found = []
    for label in range(1, count):
        left, top, width, height, pixels = (int(value) for value in stats[label])
        part = labels[top : top + height, left : left + width] == label
        rings = [_simplified(ring, tolerance_px) for ring in _rings(part)]
        points = _joined(rings) + np.array([left, top])
        found.append(RegionOutline(points, pixels, (left, top, width, height)))
    return found


def _rings(part: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the closed borders of one connected region, its outer one first.

    Each goes along pixel borders with the inside on its right, pixel by pixel: (P, 2) float64.
    """
    after = _border_steps(part)
    rings = []
    while after:
        start = min(after)  # leftmost: the first ring found is the outer one
        ring, direction = [start], (0, 0)
        while True:
            direction = _turn(after, ring[-1], direction)
            point = (ring[-1][0] + direction[0], ring[-1][1] + direction[1])
            if point == start and not _goes_on(after, start, direction):
                break
            ring.append(point)
        rings.append(np.array(ring, np.float64))
    return rings


def _border_steps(part: NDArray[np.bool_]) -> dict[_Point, list[_Point]]:
    """Return, by corner of a pixel, the directions in which a border leaves it."""
    padded = np.pad(part, 1)
    here, left, above = padded[1:, 1:], padded[1:, :-1], padded[:-1, 1:]
    steps: dict[_Point, list[_Point]] = defaultdict(list)
    for borders, direction, (dx, dy) in (
        (here & ~above, (1, 0), (0, 0)),
        (above & ~here, (-1, 0), (1, 0)),
        (here & ~left, (0, -1), (0, 1)),
        (left & ~here, (0, 1), (0, 0)),
    ):
        rows, columns = np.nonzero(borders)
        for x, y in zip((columns + dx).tolist(), (rows + dy).tolist(), strict=True):
            steps[x, y].append(direction)
    return dict(steps)


def _turn(after: dict[_Point, list[_Point]], point: _Point, came: _Point) -> _Point:
    """Take the step that leaves a corner; where two regions touch, the one to the right."""
    right = (-came[1], came[0])
    steps = after[point]
    step = steps.pop(steps.index(right) if right in steps else 0)
    if not steps:
        del after[point]
    return step


def _goes_on(after: dict[_Point, list[_Point]], start: _Point, came: _Point) -> bool:
    """Tell whether a ring that is back at its start turns right there once more."""
    return (-came[1], came[0]) in after.get(start, ())


def _corners(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out the points on straight lines."""
    before, behind = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    kept: NDArray[np.float64] = ring[np.any(before != behind, axis=1)]
    return kept


def _simplified(ring: NDArray[np.float64], tolerance_px: float) -> NDArray[np.float64]:
    if tolerance_px <= 0:
        return _corners(ring)
    # The middles of the borders lie on the edge that was seen, their corners beside it.
    middles = (ring + np.roll(ring, -1, axis=0)) / 2
    contour = middles.astype(np.float32)[:, None]
    fewer = cv2.approxPolyDP(contour, tolerance_px, closed=True)[:, 0]
    return fewer.astype(np.float64) if len(fewer) >= 3 else _corners(ring)


def _joined(rings: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Cut from the outer ring to each hole, between their nearest corners."""
    joined = rings[0]
    for hole in rings[1:]:
        apart = np.square(joined[:, None] - hole[None]).sum(axis=2)
        at, hole_at = np.unravel_index(int(apart.argmin()), apart.shape)
        around = np.roll(hole, -int(hole_at), axis=0)
        joined = np.concatenate([joined[: at + 1], around, around[:1], joined[at:]])
    return joined
