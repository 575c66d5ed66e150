"""Polygons of a mask: drawn again they are the mask, holes included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from wristseg.predict.polygons import outlines


def drawn(found, size_hw):
    planes = [
        coco_mask.decode(coco_mask.frPyObjects([o.points_xy.ravel().tolist()], *size_hw))[..., 0]
        for o in found
    ]
    return np.any(planes, axis=0) if planes else np.zeros(size_hw, bool)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 1))
)
@settings(max_examples=300, deadline=None)
def test_outlines_drawn_by_pycocotools_are_the_mask_bit_for_bit(region):
    found = outlines(region)
    np.testing.assert_array_equal(drawn(found, region.shape), region != 0)
    assert sum(outline.pixels for outline in found) == region.sum()


def test_ring_within_a_ring_keeps_both_holes():
    region = np.zeros((30, 40), np.uint8)
    for inset, value in ((2, 1), (6, 0), (9, 1), (12, 0)):
        region[inset:-inset, inset:-inset] = value
    found = outlines(region)
    assert len(found) == 2
    np.testing.assert_array_equal(drawn(found, region.shape), region != 0)


def test_corner_touching_pixels_are_two_regions_and_boxes_are_theirs():
    region = np.array([[1, 0, 0], [0, 1, 1]], np.uint8)
    found = outlines(region)
    assert [outline.bbox_xywh for outline in found] == [(0, 0, 1, 1), (1, 1, 2, 1)]
    assert [outline.pixels for outline in found] == [1, 2]
    assert found[0].points_xy.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]


@pytest.mark.parametrize(("tolerance", "least"), [(0.5, 0.98), (1.0, 0.96), (2.0, 0.92)])
def test_simplified_outlines_have_far_fewer_corners_and_nearly_the_same_pixels(tolerance, least):
    rows, columns = np.mgrid[:120, :160]
    disc = ((rows - 60) ** 2 + (columns - 80) ** 2 < 45**2).astype(np.uint8)
    (exact,), found = outlines(disc), outlines(disc, tolerance_px=tolerance)
    again = drawn(found, disc.shape)
    assert len(found[0].points_xy) < len(exact.points_xy) / 3
    assert (again & (disc != 0)).sum() / (again | (disc != 0)).sum() > least


def test_single_pixel_survives_any_tolerance():
    region = np.zeros((9, 9), np.uint8)
    region[4, 4] = 1
    np.testing.assert_array_equal(drawn(outlines(region, tolerance_px=5), (9, 9)), region != 0)


def test_empty_mask_has_no_outline():
    assert outlines(np.zeros((5, 5), np.uint8)) == []
