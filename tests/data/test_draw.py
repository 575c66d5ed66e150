"""Masks equal pycocotools' annToMask plus the draw order, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO

from wristseg import rle
from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.coco import Annotation, Frame
from wristseg.data.coco_rules import check_segmentation
from wristseg.data.draw import draw_mask

ORDERS = {tag: DEFAULT_CLASSES.order_ids(tag) for tag in ("default", "grasp")}


@st.composite
def segmentations(draw: st.DrawFn, height: int, width: int) -> Any:
    """Polygons with points far outside, or run lengths of a mask, in every form COCO knows."""
    if draw(st.booleans()):
        # Half pixels and whole ones are where rounding differs between fills.
        xs = st.floats(-width, 2 * width) | st.integers(-width, 4 * width).map(lambda v: v / 2)
        ys = st.floats(-height, 2 * height) | st.integers(-height, 4 * height).map(lambda v: v / 2)
        point = st.tuples(xs, ys.filter(lambda y: y <= 2 * height))
        return draw(
            st.lists(
                st.lists(point, min_size=3, max_size=8).map(
                    lambda points: [
                        min(float(value), limit)
                        for xy in points
                        for value, limit in zip(xy, (2 * width, 2 * height), strict=True)
                    ]
                ),
                min_size=1,
                max_size=3,
            )
        )
    cuts = sorted(draw(st.lists(st.integers(0, height * width), max_size=12)))
    counts = np.diff([0, *cuts, height * width]).tolist()
    text_or_list = rle.compress(counts) if draw(st.booleans()) else counts
    return {"size": [height, width], "counts": text_or_list}


@st.composite
def annotated_frames(draw: st.DrawFn) -> tuple[tuple[int, int], list[tuple[int, Any]]]:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    objects = st.tuples(st.integers(1, 5), segmentations(height, width))
    return (height, width), draw(st.lists(objects, min_size=0, max_size=6))


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


@settings(max_examples=500, deadline=None)
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
