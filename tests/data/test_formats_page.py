"""What ``docs/formats.md`` shows is what the readers accept."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import yaml
from PIL import Image

from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.data.coco import read_coco
from wristseg.data.marks import read_selections

PAGE = Path(__file__).parents[2] / "docs/formats.md"


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[number]


def test_coco_example_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480)).save(tmp_path / "demo1_frame_0042.jpg")
    (tmp_path / "coco.json").write_text(block("json"))
    (frame,) = read_coco(tmp_path / "coco.json", tmp_path, DEFAULT_CLASSES).frames
    assert [annotation.class_id for annotation in frame.annotations] == [3, 4]


def test_marks_example_is_read(tmp_path: Path) -> None:
    (tmp_path / "selections.json").write_text(block("json", 1))
    assert read_selections(tmp_path / "selections.json") == {"grasp_demo1_frame_0042"}
    assert json.loads(block("json", 1))["marks"]


def test_class_table_example_is_read() -> None:
    assert ClassTable.from_dict(yaml.safe_load(block("yaml"))).id_of("Mug") == 3


def test_class_ids_and_draw_orders_are_those_of_the_default_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for number, name in enumerate(DEFAULT_CLASSES.names):
        assert re.search(rf"^\| {number} \| {name}\b", text, re.M)
    for tag, order in DEFAULT_CLASSES.draw_orders.items():
        assert f"| `{tag}` | {', '.join(order)} |" in text


def test_python_example_runs() -> None:
    results = doctest.testfile(str(PAGE), module_relative=False)
    assert results.attempted > 0
    assert results.failed == 0
