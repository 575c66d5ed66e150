"""Annotations are valid COCO, near the truth, and not perfect."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from wristseg.synth.annotate import AnnotationStyle, annotate, spoil

_SIZE = (120, 160)


def _rng():
    return np.random.default_rng(3)


def _disc(x, y, radius):
    mask = np.zeros(_SIZE, np.uint8)
    return cv2.circle(mask, (x, y), radius, 1, -1)


def _decoded(annotation):
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, *_SIZE))
    elif isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, *_SIZE)
    return coco_mask.decode(segmentation)


def _iou(one, other):
    return (one & other).sum() / (one | other).sum()


def _frame():
    cube = _disc(80, 60, 22)
    finger = np.zeros(_SIZE, np.uint8)
    finger[90:, 20:60] = 1
    table = np.zeros(_SIZE, np.uint8)
    table[30:] = 1
    return {"background": 1 - table, "table": table, "cube": cube, "moving_finger": finger}


@pytest.mark.parametrize("rle_share", [0.0, 1.0])
def test_drawn_regions_are_near_the_truth_but_not_equal(rle_share):
    style = AnnotationStyle(rle_share=rle_share)
    for annotation in annotate(_frame(), style=style, rng=_rng()):
        truth = _frame()[annotation["category"]]
        assert _iou(_decoded(annotation), truth) > 0.90
        if annotation["category"] == "cube":
            assert _iou(_decoded(annotation), truth) < 1.0


def test_outlines_reach_the_edges_of_the_picture():
    (table,) = annotate({"table": _frame()["table"]}, style=AnnotationStyle(), rng=_rng())
    drawn = _decoded(table)
    assert drawn[-1].all()
    assert drawn[60:, 0].all()
    assert drawn[60:, -1].all()


def test_polygons_have_three_points_or_more_within_the_picture():
    for annotation in annotate(_frame(), style=AnnotationStyle(rle_share=0.0), rng=_rng()):
        for polygon in annotation["segmentation"]:
            xy = np.array(polygon).reshape(-1, 2)
            assert len(xy) >= 3
            assert xy.min() >= 0
            assert np.all(xy <= (_SIZE[1], _SIZE[0]))


def test_region_in_two_pieces_is_one_annotation_of_two_polygons():
    apart = _disc(30, 60, 20) | _disc(120, 60, 20)
    style = AnnotationStyle(rle_share=0.0)
    (annotation,) = annotate({"table": apart}, style=style, rng=_rng())
    assert len(annotation["segmentation"]) == 2
    assert annotation["iscrowd"] == 0


def test_region_with_a_hole_is_rle_marked_as_crowd():
    ring = _disc(80, 60, 40) & (1 - _disc(80, 60, 15))
    style = AnnotationStyle(rle_share=0.0)
    (annotation,) = annotate({"table": ring}, style=style, rng=_rng())
    assert annotation["iscrowd"] == 1
    assert annotation["segmentation"]["size"] == list(_SIZE)
    assert _decoded(annotation)[60, 80] == 0


def test_both_forms_of_rle_occur_and_sum_to_the_picture():
    forms = set()
    for seed in range(12):
        style, rng = AnnotationStyle(rle_share=1.0), np.random.default_rng(seed)
        (annotation,) = annotate({"cube": _disc(80, 60, 22)}, style=style, rng=rng)
        counts = annotation["segmentation"]["counts"]
        forms.add(type(counts))
        if isinstance(counts, list):
            assert sum(counts) == _SIZE[0] * _SIZE[1]
    assert forms == {str, list}


def test_specks_are_overlooked():
    assert annotate({"cube": _disc(80, 60, 2)}, style=AnnotationStyle(), rng=_rng()) == []


def test_area_and_box_belong_to_the_segmentation():
    for annotation in annotate(_frame(), style=AnnotationStyle(), rng=_rng()):
        drawn = _decoded(annotation)
        assert annotation["area"] == drawn.sum()
        x, y, width, height = annotation["bbox"]
        rows, columns = np.nonzero(drawn)
        assert columns.min() >= np.floor(x)
        assert columns.max() < np.ceil(x + width)
        assert rows.min() >= np.floor(y)
        assert rows.max() < np.ceil(y + height)


def _good():
    regions = _frame() | {"static_finger": _disc(140, 100, 18)}
    return annotate(regions, style=AnnotationStyle(rle_share=0.0), rng=_rng())


def _spoilt(flaw):
    return {a["category"]: a for a in spoil(_good(), flaw, size_hw=_SIZE)}


def test_each_flaw_spoils_what_it_says():
    good = {a["category"]: a for a in _good()}
    swapped = _spoilt("fingers_swapped")
    assert swapped["static_finger"]["bbox"] == good["moving_finger"]["bbox"]
    assert _spoilt("table_and_background_swapped")["table"]["bbox"] == good["background"]["bbox"]
    assert "moving_finger" not in _spoilt("moving_finger_missing")
    assert "cube" not in _spoilt("cube_called_table")
    beside = _spoilt("cube_beside_itself")
    assert _iou(_decoded(beside["cube"]), _decoded(good["cube"])) == 0.0
    assert beside["table"] == good["table"]
    assert len(_spoilt("static_finger_boxed")["static_finger"]["segmentation"][0]) == 8
    shifted = _spoilt("all_shifted")
    assert _iou(_decoded(shifted["cube"]), _decoded(good["cube"])) < 0.3
