"""Measure every frame of a data set once: does its image decode, what is drawn on it.

In comes a ``LabelledDataset``, out go ``FrameFacts`` that the rules of ``data.check_rules`` judge.
Called by ``data.check``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import sha256_of
from wristseg.classes import ClassTable
from wristseg.data.draw import class_planes
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.progress import for_each
from wristseg.errors import DataError

__all__ = ["FrameFacts", "duplicate_images", "measure"]

#: Outlines are a few pixels off: 1.5 % of the longer side still counts as touching. On
#: data/dataset_v0 held cubes are within 4 pixels of both fingers, other overlaps beyond 100 of one.
_TOUCH_SHARE = 0.015


@dataclass(frozen=True)
class FrameFacts:
    """What was measured on one frame.

    Attributes:
        frame: The frame.
        damage: Why its image cannot be decoded, or None.
        pixels: Pixels by class id.
        overlap: Pixels whose class depends on the draw order; 0 for ready-made masks.
        held: Whether the object that the orders place differently touches all classes it may be
            in front of or behind (a cube between both fingers).
    """

    frame: LabelledFrame
    damage: str | None
    pixels: tuple[int, ...]
    overlap: int
    held: bool


def measure(dataset: LabelledDataset) -> list[FrameFacts]:
    """Decode and draw every frame of the data set."""

    def measure_frame(frame: LabelledFrame) -> FrameFacts:
        return _measure_frame(dataset, frame)

    return for_each(measure_frame, dataset.frames, doing="checking frames")


def duplicate_images(frames: Iterable[LabelledFrame]) -> list[tuple[str, ...]]:
    """Return the stems of frames whose image files hold the same bytes, group by group."""
    by_size: dict[int, list[LabelledFrame]] = defaultdict(list)
    for frame in frames:
        by_size[frame.image_path.stat().st_size].append(frame)
    by_hash: dict[str, list[str]] = defaultdict(list)
    for same_size in by_size.values():
        if len(same_size) > 1:
            for frame in same_size:
                by_hash[sha256_of(frame.image_path)].append(frame.stem)
    return [tuple(sorted(stems)) for stems in by_hash.values() if len(stems) > 1]


def _measure_frame(dataset: LabelledDataset, frame: LabelledFrame) -> FrameFacts:
    damage = None
    try:
        dataset.image(frame)
        mask = dataset.mask(frame)
    except DataError as error:
        damage, mask = str(error), np.zeros((0, 0), np.uint8)
    counts = np.bincount(mask.ravel(), minlength=256)[: len(dataset.classes)]
    overlap, held = (0, False) if frame.coco is None else _overlap(frame, dataset.classes)
    return FrameFacts(frame, damage, tuple(counts.tolist()), overlap, held)


def _overlap(frame: LabelledFrame, classes: ClassTable) -> tuple[int, bool]:
    """Count the pixels two flipped classes both claim; say if one touches all its partners."""
    assert frame.coco is not None
    planes = class_planes(frame.coco)
    flipped = _flipped_pairs(classes)
    shared = np.zeros(frame.size_hw, np.bool_)
    for first, second in flipped:
        if first in planes and second in planes:
            shared |= planes[first] & planes[second]
    overlap = int(np.count_nonzero(shared))
    if overlap == 0:
        return 0, False
    objects = set(planes).intersection(*(set(pair) for pair in flipped))
    held = any(
        all(
            partner in planes and _touch(planes[object_], planes[partner])
            for pair in flipped
            for partner in pair - {object_}
        )
        for object_ in objects
    )
    return overlap, held


def _flipped_pairs(classes: ClassTable) -> list[frozenset[int]]:
    """Return the pairs of class ids that not all draw orders lay over each other the same way."""
    orders = [classes.order_ids(tag) for tag in classes.draw_orders]
    return [
        frozenset(pair)
        for pair in combinations(orders[0], 2)
        if len({order.index(pair[0]) < order.index(pair[1]) for order in orders}) > 1
    ]


def _touch(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> bool:
    reach = max(1, round(_TOUCH_SHARE * max(first.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(np.ascontiguousarray(first, np.uint8), kernel)
    return bool(np.any(near.view(np.bool_) & second))
