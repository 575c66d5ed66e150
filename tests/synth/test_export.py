"""The files beside the pictures have the formats that people bring."""

from __future__ import annotations

import json

import pytest

from wristseg.synth.config import RenderConfig
from wristseg.synth.dataset_v0 import plan_dataset_v0
from wristseg.synth.export import write_dataset
from wristseg.synth.scene import Scene

_SQUARE = {
    "category": "cube",
    "segmentation": [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]],
    "area": 32.0,
    "bbox": [1.0, 1.0, 8.0, 8.0],
    "iscrowd": 0,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("export")
    plans = plan_dataset_v0(Scene.build(), seed=0)[30:60]
    drawn = [[_SQUARE, _SQUARE | {"category": "table"}] for _ in plans]
    write_dataset(tmp_path, plans, drawn, config=RenderConfig(output=tmp_path))
    return tmp_path, plans


def test_coco_ids_are_unique_and_resolve_by_name(written):
    folder, plans = written
    table = json.loads((folder / "annotations" / "instances_default.json").read_text())
    names = {category["id"]: category["name"] for category in table["categories"]}
    assert len({row["id"] for row in table["annotations"]}) == 2 * len(plans)
    assert [names[row["category_id"]] for row in table["annotations"][:2]] == ["cube", "table"]
    assert [image["file_name"] for image in table["images"]] == [f"{p.stem}.jpg" for p in plans]
    assert {(image["width"], image["height"]) for image in table["images"]} == {(640, 480)}


def test_marks_name_grasp_frames_and_excluded_frames(written):
    folder, plans = written
    marks = json.loads((folder / "selections.json").read_text())["marks"]
    assert set(marks) == {f"{plan.stem}.jpg" for plan in plans if plan.tag == "grasp"}
    excluded = json.loads((folder / "excluded.json").read_text())["marks"]
    assert excluded == {f"{plan.stem}.jpg": "Excluded" for plan in plans if plan.flaw}


def test_readme_names_each_flaw_and_the_command(written):
    folder, plans = written
    text = (folder / "README.md").read_text()
    assert "wristseg render --preset dataset-v0 --seed 0" in text
    for plan in plans:
        assert (f"`{plan.stem}.jpg`" in text) == (plan.flaw is not None)
