"""Tasks for Label Studio: its own bit format and its own units, read back pixel for pixel."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import cv2
import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.labeling.label_studio import brush_rle, image_address, label_config, task


class Bits:
    """Reads a number of bits at a time."""

    def __init__(self, content):
        self.text = "".join(f"{byte:08b}" for byte in content)
        self.at = 0

    def read(self, count):
        self.at += count
        return int(self.text[self.at - count : self.at], 2)


def unpacked(content):
    """Read the format as its description says, runs and single values alike."""
    bits = Bits(content)
    size, word = bits.read(32), bits.read(5) + 1
    widths = [bits.read(4) + 1 for _ in range(4)]
    values = []
    while len(values) < size:
        is_run = bits.read(1)
        length = bits.read(widths[bits.read(2)]) + 1
        values += [bits.read(word)] * length if is_run else [bits.read(word) for _ in range(length)]
    assert len(bits.text) - bits.at < 8
    return np.array(values, np.uint8)


def alpha(content, size_hw):
    return unpacked(content).reshape(*size_hw, 4)[..., 3] > 0


@pytest.fixture
def mask():
    mask = np.ones((40, 56), np.uint8)
    mask[15:] = 2
    mask[20:30, 22:34] = 3
    mask[24:26, 25:28] = 0
    return mask


def made(mask, shape, tolerance_px=0.0):
    made = task(
        "x.jpg",
        mask,
        DEFAULT_CLASSES,
        shape=shape,
        tolerance_px=tolerance_px,
        model_version="wristseg",
    )
    assert made["data"] == {"image": "x.jpg"}
    (prediction,) = made["predictions"]
    return prediction["result"]


@pytest.mark.parametrize("seed", range(8))
def test_brush_is_the_mask_in_each_channel(seed):
    region = np.random.default_rng(seed).random((23, 31)) < 0.1 * (seed + 1)
    np.testing.assert_array_equal(alpha(brush_rle(region), region.shape), region)


@pytest.mark.parametrize("size_hw", [(1, 1), (129, 127), (400, 300)])
def test_runs_longer_than_the_format_holds_are_cut(size_hw):
    region = np.ones(size_hw, bool)
    region[-1, -1] = False
    np.testing.assert_array_equal(alpha(brush_rle(region), size_hw), region)


def test_task_has_one_brush_per_class_and_none_for_class_0(mask):
    results = made(mask, "rle")
    assert [result["value"]["brushlabels"] for result in results] == [
        ["background"],
        ["table"],
        ["cube"],
    ]
    assert {(r["original_width"], r["original_height"]) for r in results} == {(56, 40)}
    for class_id, result in enumerate(results, start=1):
        found = alpha(result["value"]["rle"], mask.shape)
        np.testing.assert_array_equal(found, mask == class_id)


def test_polygons_are_in_per_cent_and_drawn_again_are_the_mask(mask):
    from pycocotools import mask as coco_mask

    size_wh = np.array([56, 40])
    again = np.zeros_like(mask)
    for result in made(mask, "polygon"):
        points = np.array(result["value"]["points"])
        assert points.min() >= 0
        assert points.max() <= 100
        polygon = (points * size_wh / 100).ravel().tolist()
        plane = coco_mask.decode(coco_mask.frPyObjects([polygon], 40, 56))[..., 0]
        (name,) = result["value"]["polygonlabels"]
        again[plane > 0] = DEFAULT_CLASSES.names.index(name)
    np.testing.assert_array_equal(again, mask)


def test_ids_of_results_differ_and_controls_are_those_of_the_interface(mask):
    results = made(mask, "polygon", tolerance_px=1.0)
    assert len({result["id"] for result in results}) == len(results)
    view = Xml.fromstring(label_config(DEFAULT_CLASSES, shape="polygon"))
    controls = view.find("PolygonLabels")
    assert {r["from_name"] for r in results} == {controls.get("name")}
    assert {r["to_name"] for r in results} == {view.find("Image").get("name")}
    assert [label.get("value") for label in controls] == list(DEFAULT_CLASSES.names[1:])
    assert controls[2].get("background") == "#e69f00"


def test_names_in_addresses_are_quoted():
    assert image_address("/data/?d=x/", "ä b.jpg") == "/data/?d=x/%C3%A4%20b.jpg"


def test_polygons_with_a_hole_leave_it_out_when_drawn_by_even_and_odd(mask):
    """Browsers fill so, with Label Studio's and CVAT's canvas."""
    table = next(r for r in made(mask, "polygon") if r["value"]["polygonlabels"] == ["cube"])
    points = np.array(table["value"]["points"]) * [56, 40] / 100
    # OpenCV fills up to and including its corners: shrink by half a pixel and compare centres.
    scaled = np.round(points * 16).astype(np.int32)
    fine = cv2.fillPoly(np.zeros((640, 896), np.uint8), [scaled], 1)[8::16, 8::16]
    np.testing.assert_array_equal(fine > 0, mask == 3)
