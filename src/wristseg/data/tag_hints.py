"""Whether a frame's overlaps fit its tag: is a mark missing, or one too many?

In: a frame's outlines. Out: how many pixels depend on the draw order, and in words what that says
about the tag. Called by ``data.check_facts``, ``data.check_rules`` and ``review.scan``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.data.coco import Frame
from wristseg.data.draw import class_planes

__all__ = ["Overlap", "TagHint", "overlap_of", "tag_hint"]

#: Outlines are a few pixels off: 1.5 % of the longer side still counts as touching. On
#: data/dataset_v0 held cubes are within 4 pixels of both fingers, other overlaps beyond 100 of one.
_TOUCH_SHARE = 0.015

#: Share of an image's pixels below which an overlap is a matter of two outlines being a pixel off.
_SLIGHT_OVERLAP = 3e-5


@dataclass(frozen=True)
class Overlap:
    """What the draw orders decide on a frame.

    Attributes:
        pixels: Pixels whose class depends on the draw order; 0 for ready-made masks.
        held: Whether the object that the orders place differently touches all classes it may be
            in front of or behind (a cube between both fingers).
    """

    pixels: int = 0
    held: bool = False


@dataclass(frozen=True)
class TagHint:
    """What speaks against a frame's tag.

    Attributes:
        severity: ``warning`` where the tag probably is wrong, ``note`` where a look is enough.
        text: What was found, and what to do.
    """

    severity: Literal["warning", "note"]
    text: str


def overlap_of(frame: Frame, classes: ClassTable) -> Overlap:
    """Count the pixels two flipped classes both claim; say if one touches all its partners."""
    planes = class_planes(frame)
    flipped = _flipped_pairs(classes)
    shared = np.zeros(frame.size_hw, np.bool_)
    for first, second in flipped:
        if first in planes and second in planes:
            shared |= planes[first] & planes[second]
    pixels = int(np.count_nonzero(shared))
    if pixels == 0:
        return Overlap()
    objects = set(planes).intersection(*(set(pair) for pair in flipped))
    held = any(
        all(
            partner in planes and _touch(planes[object_], planes[partner])
            for pair in flipped
            for partner in pair - {object_}
        )
        for object_ in objects
    )
    return Overlap(pixels, held)


def tag_hint(stem: str, tag: str, overlap: Overlap, size_hw: tuple[int, int]) -> TagHint | None:
    """Say what speaks against a tag, or None.

    Args:
        stem: Name of the frame.
        tag: ``grasp`` or ``default``.
        overlap: What the draw orders decide on it.
        size_hw: Height and width in pixels.

    >>> tag_hint("a", "grasp", Overlap(), (480, 640)).text
    'a is marked as grasp, but no outlines overlap: the mark changes nothing'
    >>> tag_hint("a", "default", Overlap(), (480, 640)) is None
    True
    """
    pixels = overlap.pixels
    if tag == "grasp" and pixels == 0:
        text = f"{stem} is marked as grasp, but no outlines overlap: the mark changes nothing"
        return TagHint("warning", text)
    if tag == "default" and overlap.held:
        text = (
            f"{stem} looks like a grasp frame without a mark: the object touches every finger"
            f" and {pixels} pixels depend on the draw order; mark it as grasp"
        )
        return TagHint("warning", text)
    if tag == "default" and pixels > _SLIGHT_OVERLAP * size_hw[0] * size_hw[1]:
        text = (
            f"{stem}: object and finger share {pixels} pixels of overlap;"
            " right if the finger is in front"
        )
        return TagHint("note", text)
    return None


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
