"""COCO files as CVAT, Roboflow and SALT write them are read; classes are matched by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.datasets import make_coco_dataset
from wristseg import rle
from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.coco import CocoDataset, read_coco
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError

TRIANGLE = [1.0, 1.0, 20.0, 1.0, 9.5, 14.5]
BRUSH = np.zeros((24, 32), np.uint8)
BRUSH[4:9, 10:20] = 1


def save_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24)).save(path)


def read(folder: Path, table: dict[str, Any], images: str = ".") -> CocoDataset:
    path = folder / "coco.json"
    path.write_text(json.dumps(table))
    return read_coco(path, folder / images, DEFAULT_CLASSES)


def cvat_table() -> dict[str, Any]:
    """What CVAT's exporter writes: empty licence, attributes, brush masks as crowds."""
    return {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {
            **dict.fromkeys(("contributor", "date_created", "description", "url"), ""),
            "version": "",
            "year": "",
        },
        "categories": [
            {"id": 1, "name": "moving_finger", "supercategory": ""},
            {"id": 2, "name": "cube", "supercategory": ""},
        ],
        "images": [
            {
                "id": 1,
                "width": 32,
                "height": 24,
                "file_name": "frame_0001.png",
                "license": 0,
                "flickr_url": "",
                "coco_url": "",
                "date_captured": 0,
            }
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 2,
                "segmentation": [TRIANGLE],
                "area": 128.0,
                "bbox": [1.0, 1.0, 19.0, 13.5],
                "iscrowd": 0,
                "attributes": {"occluded": False},
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 1,
                "segmentation": {"counts": rle.encode(BRUSH), "size": [24, 32]},
                "area": 50.0,
                "bbox": [10.0, 4.0, 10.0, 5.0],
                "iscrowd": 1,
                "attributes": {"occluded": False},
            },
        ],
    }


def test_cvat_export_with_brush_masks_is_read(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    (frame,) = read(tmp_path, cvat_table()).frames
    polygon, brush = frame.annotations
    assert (polygon.class_id, brush.class_id) == (3, 5)
    assert polygon.polygons_xy == (tuple(TRIANGLE),)
    assert brush.counts == tuple(rle.encode(BRUSH))
    assert brush.iscrowd == 1


def test_cvat_box_without_outline_is_refused_with_the_way_out(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    table = cvat_table()
    table["annotations"][0]["segmentation"] = []
    with pytest.raises(DataError, match=r"'frame_0001\.png': is a box.*delete it"):
        read(tmp_path, table)


def test_compressed_counts_are_read_like_plain_ones(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    table = cvat_table()
    table["annotations"][1]["segmentation"]["counts"] = rle.compress(rle.encode(BRUSH))
    (frame,) = read(tmp_path, table).frames
    assert frame.annotations[1].counts == tuple(rle.encode(BRUSH))


def roboflow_table() -> dict[str, Any]:
    """What Roboflow writes: a dummy category 0, renamed images, original names under extra."""
    return {
        "info": {"year": "2026", "version": "1", "description": "Exported from roboflow.com"},
        "licenses": [{"id": 1, "url": "", "name": "Private"}],
        "categories": [
            {"id": 0, "name": "wrist-parts", "supercategory": "none"},
            {"id": 1, "name": "Cube", "supercategory": "wrist-parts"},
            {"id": 2, "name": "moving-finger", "supercategory": "wrist-parts"},
        ],
        "images": [
            {
                "id": 0,
                "license": 1,
                "file_name": "demo1_frame_0042_png.rf.6a1bd53c1f.png",
                "height": 24,
                "width": 32,
                "date_captured": "2026-05-01T10:00:00+00:00",
                "extra": {"name": "demo1_frame_0042.png"},
            }
        ],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 1,
                "bbox": [1, 1, 19, 13.5],
                "area": 128.25,
                "segmentation": [TRIANGLE],
                "iscrowd": 0,
            },
            {
                "id": 1,
                "image_id": 0,
                "category_id": 2,
                "bbox": [1, 1, 19, 13.5],
                "area": 128.25,
                "segmentation": [TRIANGLE],
                "iscrowd": 0,
            },
        ],
    }


def test_roboflow_export_is_read_and_its_dummy_category_ignored(tmp_path: Path) -> None:
    save_image(tmp_path / "demo1_frame_0042_png.rf.6a1bd53c1f.png")
    dataset = read(tmp_path, roboflow_table())
    (frame,) = dataset.frames
    assert [annotation.class_id for annotation in frame.annotations] == [3, 5]
    assert frame.source == "demo1_frame_0042"
    assert dataset.warnings == ()


def test_roboflow_frames_are_marked_under_their_original_names(tmp_path: Path) -> None:
    save_image(tmp_path / "demo1_frame_0042_png.rf.6a1bd53c1f.png")
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(roboflow_table()))
    (tmp_path / "selections.json").write_text('{"marks": {"demo1_frame_0042.jpg": "Grasp"}}')
    labels = load_labels(DatasetPaths(tmp_path))
    assert [(frame.tag, frame.recording) for frame in labels.frames] == [("grasp", "demo1")]
    assert labels.warnings == ()


def test_category_0_that_is_used_is_a_class_like_any_other(tmp_path: Path) -> None:
    # SALT counts categories from 0.
    save_image(tmp_path / "images/a.png")
    table = cvat_table()
    table["images"][0]["file_name"] = "images/a.png"
    table["categories"] = [
        {"id": i, "name": name, "supercategory": name} for i, name in enumerate(("cube", "table"))
    ]
    for annotation in table["annotations"]:
        annotation["category_id"] = 0
    (frame,) = read(tmp_path, table, "images").frames
    assert {annotation.class_id for annotation in frame.annotations} == {3}
    assert frame.path == tmp_path / "images/a.png"


def test_salt_specks_of_two_points_are_left_out_and_reported(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    table = cvat_table()
    table["annotations"][0]["segmentation"] = [[3.5, 2.0, 3.5, 2.0], TRIANGLE]
    dataset = read(tmp_path, table)
    assert dataset.frames[0].annotations[0].polygons_xy == (tuple(TRIANGLE),)
    assert "1 polygon part(s) of fewer than 3 points" in dataset.warnings[0]


def test_windows_separators_and_byte_order_mark_are_understood(tmp_path: Path) -> None:
    save_image(tmp_path / "images/a.png")
    table = cvat_table()
    table["images"][0]["file_name"] = "images\\a.png"
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(table), encoding="utf-8-sig")
    (frame,) = read_coco(path, tmp_path / "images", DEFAULT_CLASSES).frames
    assert frame.stem == "a"


def test_unknown_category_in_use_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    table = cvat_table()
    table["categories"][1]["name"] = "brick"
    with pytest.raises(DataError, match=r"'brick' \(1 annotations\) is not a class \(unlabeled, "):
        read(tmp_path, table)


def test_unknown_category_that_nothing_uses_is_a_warning(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    table = cvat_table()
    table["categories"].append({"id": 9, "name": "brick", "supercategory": ""})
    assert "'brick'" in read(tmp_path, table).warnings[0]


def test_image_that_is_missing_matters_only_if_somebody_labelled_it(tmp_path: Path) -> None:
    save_image(tmp_path / "frame_0001.png")
    table = cvat_table()
    table["images"].append({"id": 2, "width": 32, "height": 24, "file_name": "gone.png"})
    assert "'gone.png'" in read(tmp_path, table).warnings[0]
    table["annotations"][0]["image_id"] = 2
    with pytest.raises(DataError, match=r"'gone\.png'\): no such image"):
        read(tmp_path, table)


def test_classes_of_dataset_yaml_are_matched(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path)
    (tmp_path / "dataset.yaml").write_text(
        "names: [none, moving_finger, static_finger, cube, table, background]\n"
        "colors_rgb: [[0,0,0],[1,1,1],[2,2,2],[3,3,3],[4,4,4],[5,5,5]]\n"
        "draw_orders:\n"
        "  default: [background, table, cube, static_finger, moving_finger]\n"
        "  grasp: [background, table, static_finger, moving_finger, cube]\n"
    )
    labels = load_labels(DatasetPaths(tmp_path))
    mask = labels.mask(labels.frames[0])
    assert mask[1, 1] == 5, "background has the id of dataset.yaml"
