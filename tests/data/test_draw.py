"""Masks equal pycocotools' annToMask plus the draw order, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO

from tests.counts import times
from wristseg import rle
from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.coco import Annotation, Frame
from wristseg.data.coco_rules import check_segmentation
from wristseg.data.draw import draw_mask

ORDERS = {tag: DEFAULT_CLASSES.order_ids(tag) for tag in ("default", "grasp")}


def polygon(rng: np.random.Generator, height: int, width: int) -> list[float]:
    """Three to eight points up to one image size outside the image, on every side."""
    points = rng.uniform((-width, -height), (2 * width, 2 * height), (rng.integers(3, 9), 2))
    # Half pixels and whole ones are where the rounding of fills differs.
    points = (points, np.round(2 * points) / 2, np.round(points))[rng.integers(3)]
    flat: list[float] = points.ravel().tolist()
    return flat


def run_lengths(rng: np.random.Generator, pixels: int) -> list[int]:
    """Run lengths that add up, empty ones among them."""
    cuts = np.sort(rng.integers(0, pixels + 1, rng.integers(0, 13)))
    counts: list[int] = np.diff(cuts, prepend=0, append=pixels).tolist()
    return counts


@st.composite
def annotated_frames(draw: st.DrawFn) -> tuple[tuple[int, int], list[tuple[int, Any]]]:
    """A size, and up to six objects in every form that COCO knows."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    objects: list[tuple[int, Any]] = []
    for form in draw(st.lists(st.sampled_from(("polygons", "list", "text")), max_size=6)):
        segmentation: Any
        if form == "polygons":
            segmentation = [polygon(rng, height, width) for _ in range(rng.integers(1, 4))]
        else:
            counts = run_lengths(rng, height * width)
            counts_or_text = counts if form == "list" else rle.compress(counts)
            segmentation = {"size": [height, width], "counts": counts_or_text}
        objects.append((int(rng.integers(1, 6)), segmentation))
    return (height, width), objects


def frame_of(size_hw: tuple[int, int], objects: list[tuple[int, Any]]) -> Frame:
    annotations = []
    for number, (class_id, segmentation) in enumerate(objects):
        outline = check_segmentation(segmentation, size_hw)
        annotations.append(
            Annotation(number, class_id, outline.polygons_xy, outline.counts, iscrowd=0)
        )
    return Frame(1, "a.png", Path("a.png"), size_hw, tuple(annotations), "a")


def drawn_by_pycocotools(
    size_hw: tuple[int, int], objects: list[tuple[int, Any]], order_ids: tuple[int, ...]
) -> NDArray[np.uint8]:
    coco = COCO()
    coco.imgs = {1: {"height": size_hw[0], "width": size_hw[1]}}
    mask = np.zeros(size_hw, np.uint8)
    for wanted in order_ids:
        for class_id, segmentation in objects:
            if class_id == wanted:
                record = {"image_id": 1, "segmentation": segmentation}
                mask[coco.annToMask(record) == 1] = class_id
    return mask


@pytest.mark.tried(times(500, 10_000))
@settings(max_examples=times(500, 10_000), deadline=None)
@given(frame=annotated_frames(), tag=st.sampled_from(sorted(ORDERS)))
def test_p1_masks_equal_pycocotools_and_draw_order(
    frame: tuple[tuple[int, int], list[tuple[int, Any]]], tag: str
) -> None:
    size_hw, objects = frame
    mask = draw_mask(frame_of(size_hw, objects), order_ids=ORDERS[tag])
    assert mask.dtype == np.uint8
    assert mask.flags.c_contiguous
    np.testing.assert_array_equal(mask, drawn_by_pycocotools(size_hw, objects, ORDERS[tag]))


CUBE_AND_FINGER = [
    (3, [[2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]]),
    (4, [[5.0, 0.0, 12.0, 0.0, 12.0, 12.0, 5.0, 12.0]]),
]


def test_finger_is_drawn_over_a_cube_behind_it() -> None:
    mask = draw_mask(frame_of((12, 12), CUBE_AND_FINGER), order_ids=ORDERS["default"])
    assert (mask[3, 3], mask[3, 6], mask[3, 10]) == (3, 4, 4)


def test_held_cube_is_drawn_over_the_fingers() -> None:
    mask = draw_mask(frame_of((12, 12), CUBE_AND_FINGER), order_ids=ORDERS["grasp"])
    assert (mask[3, 3], mask[3, 6], mask[3, 10]) == (3, 3, 4)


def test_draw_order_beats_the_order_in_the_file() -> None:
    frame, turned = frame_of((12, 12), CUBE_AND_FINGER), frame_of((12, 12), CUBE_AND_FINGER[::-1])
    for order_ids in ORDERS.values():
        np.testing.assert_array_equal(
            draw_mask(frame, order_ids=order_ids), draw_mask(turned, order_ids=order_ids)
        )


def test_pixels_nobody_drew_are_0() -> None:
    assert not draw_mask(frame_of((5, 7), []), order_ids=ORDERS["default"]).any()
