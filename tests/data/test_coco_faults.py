"""F01: malformed COCO files are refused, every fault listed, and never reach native code."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.data.coco_tables import HUGE, INF, NAN, TRIANGLE, arguments, base_table, refusal, rle_of
from wristseg.cli.masks import main

Edit = Callable[[dict[str, Any]], Any]


def test_base_table_is_accepted(images_dir: Path, tmp_path: Path) -> None:
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(base_table()))
    assert main(arguments(annotations, images_dir, tmp_path / "masks")) == 0
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["a.png", "b.png"]


def put(table: str, place: int, key: str, value: Any) -> Edit:
    def edit(coco: dict[str, Any]) -> None:
        coco[table][place][key] = value

    return edit


def drop(table: str, place: int, key: str) -> Edit:
    return lambda coco: coco[table][place].pop(key)


def twice(table: str) -> Edit:
    return lambda coco: coco[table].append(copy.deepcopy(coco[table][0]))


F01_EDITS: dict[str, tuple[Edit, str]] = {
    "images missing": (lambda c: c.pop("images"), "images is None"),
    "annotations missing": (lambda c: c.pop("annotations"), "annotations is None"),
    "categories missing": (lambda c: c.pop("categories"), "categories is None"),
    "images an object": (lambda c: c.update(images={}), "images is an object"),
    "annotations a text": (lambda c: c.update(annotations="x"), "annotations is 'x'"),
    "categories a number": (lambda c: c.update(categories=3), "categories is 3"),
    "image a list": (lambda c: c["images"].append([]), "images[2] is a list"),
    "annotation null": (lambda c: c["annotations"].append(None), "annotations[3] is None"),
    "category a text": (lambda c: c["categories"].append("cube"), "categories[1] is 'cube'"),
    "image id twice": (twice("images"), "images[2]: id 1 is used twice"),
    "annotation id twice": (twice("annotations"), "annotations[3]: id 1 is used twice"),
    "category id twice": (twice("categories"), "categories[1]: id 1 is used twice"),
    "image id a text": (put("images", 0, "id", "1"), "id is '1'"),
    "image id a float": (put("images", 0, "id", 1.0), "id is 1.0"),
    "image id a bool": (put("images", 0, "id", True), "id is True"),
    "image id null": (put("images", 0, "id", None), "id is None"),
    "image id missing": (drop("images", 0, "id"), "id is None"),
    "annotation id a text": (put("annotations", 0, "id", "1"), "id is '1'"),
    "annotation id a list": (put("annotations", 0, "id", [1]), "id is a list of 1"),
    "annotation id missing": (drop("annotations", 0, "id"), "id is None"),
    "category id a float": (put("categories", 0, "id", 1.5), "id is 1.5"),
    "category id a bool": (put("categories", 0, "id", True), "id is True"),
    "image_id dangling": (put("annotations", 0, "image_id", 99), "image_id 99 is no image"),
    "image_id a text": (put("annotations", 0, "image_id", "1"), "image_id is '1'"),
    "image_id a bool": (put("annotations", 0, "image_id", True), "image_id is True"),
    "image_id a float": (put("annotations", 0, "image_id", 1.0), "image_id is 1.0"),
    "image_id an object": (put("annotations", 0, "image_id", {}), "image_id is an object"),
    "image_id huge": (put("annotations", 0, "image_id", HUGE), "is no image"),
    "category_id dangling": (
        put("annotations", 0, "category_id", 9),
        "category_id 9 is no category",
    ),
    "category_id null": (put("annotations", 0, "category_id", None), "category_id is None"),
    "category_id a float": (put("annotations", 0, "category_id", 1.0), "category_id is 1.0"),
    "category_id a bool": (put("annotations", 0, "category_id", True), "category_id is True"),
    "category unknown": (put("categories", 0, "name", "gripper"), "'gripper' (3 annotations)"),
    "category name missing": (drop("categories", 0, "name"), "name is None"),
    "category name a number": (put("categories", 0, "name", 3), "name is 3"),
    "category name empty": (put("categories", 0, "name", "  "), "name is '  '"),
    "width zero": (put("images", 0, "width", 0), "width is 0"),
    "height zero": (put("images", 0, "height", 0), "height is 0"),
    "width negative": (put("images", 0, "width", -16), "width is -16"),
    "width a float": (put("images", 0, "width", 16.0), "width is 16.0"),
    "width a text": (put("images", 0, "width", "16"), "width is '16'"),
    "width a bool": (put("images", 0, "width", True), "width is True"),
    "height missing": (drop("images", 0, "height"), "height is None"),
    "height too large": (put("images", 0, "height", 16385), "height is 16385"),
    "height huge": (put("images", 0, "height", HUGE), "height is 1000"),
    "width NaN": (put("images", 0, "width", NAN), "NaN or Infinity"),
    "area infinite": (put("annotations", 0, "area", INF), "NaN or Infinity"),
    "file_name missing": (drop("images", 0, "file_name"), "file_name is None"),
    "file_name a number": (put("images", 0, "file_name", 7), "file_name is 7"),
    "file_name empty": (put("images", 0, "file_name", ""), "file_name is ''"),
    "file_name of no file": (put("images", 0, "file_name", "c.png"), "no such image"),
    "file_name twice": (put("images", 1, "file_name", "a.png"), "would share one mask"),
    "iscrowd 2": (put("annotations", 0, "iscrowd", 2), "iscrowd is 2"),
    "iscrowd a text": (put("annotations", 0, "iscrowd", "0"), "iscrowd is '0'"),
    "iscrowd a bool": (put("annotations", 0, "iscrowd", True), "iscrowd is True"),
    "segmentation missing": (drop("annotations", 0, "segmentation"), "box or a point"),
    "segmentation empty (a box)": (put("annotations", 0, "segmentation", []), "box or a point"),
    "segmentation a text": (put("annotations", 0, "segmentation", "x"), "segmentation is 'x'"),
    "segmentation a flat list": (put("annotations", 0, "segmentation", TRIANGLE), "part 1 is 1.0"),
    "segmentation of texts": (put("annotations", 0, "segmentation", [["1"] * 6]), "holds '1'"),
    "segmentation of bools": (put("annotations", 0, "segmentation", [[True] * 6]), "holds True"),
    "segmentation nested": (put("annotations", 0, "segmentation", [[TRIANGLE]]), "has 1 numbers"),
    "RLE without counts": (
        put("annotations", 0, "segmentation", {"size": [12, 16]}),
        "counts are None",
    ),
    "RLE without size": (put("annotations", 0, "segmentation", {"counts": [192]}), "size is None"),
}

F01_TEXTS = {
    "empty file": ("", "not JSON"),
    "no JSON": ("images: []", "not JSON"),
    "cut off": (json.dumps(base_table())[:-40], "not JSON"),
    "a list": ("[]", "a list of 0, expected an object"),
    "deep nesting": ("[" * 200_000, "nested too deeply"),
    "deep nesting in a field": ('{"images": ' + '{"a":' * 100_000, "nested too deeply"),
    "integer of 5000 digits": ('{"images": [' + "9" * 5000 + "]}", "not JSON"),
}


@pytest.mark.parametrize("case", F01_EDITS)
def test_f01_malformed_table_is_refused(
    case: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, expected = F01_EDITS[case]
    table = base_table()
    edit(table)
    assert expected in refusal(json.dumps(table), images_dir, tmp_path, capsys)


@pytest.mark.parametrize("case", F01_TEXTS)
def test_f01_file_that_is_no_table_is_refused(
    case: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = F01_TEXTS[case]
    assert expected in refusal(text, images_dir, tmp_path, capsys)


def test_f01_all_faults_are_listed_in_one_run(
    images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = base_table()
    independent = (
        "image id twice",
        "category unknown",
        "iscrowd 2",
        "category_id dangling",
        "annotation null",
        "segmentation of texts",
    )
    for case in independent:
        F01_EDITS[case][0](table)
    said = refusal(json.dumps(table), images_dir, tmp_path, capsys)
    for expected in ("used twice", "gripper", "iscrowd is 2", "category_id 9", "None", "holds '1'"):
        assert expected in said


def test_f01_text_that_is_not_utf8_is_refused(
    images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = tmp_path / "coco.json"
    annotations.write_bytes(b'{"images": "\xff\xfe"}')
    assert main(arguments(annotations, images_dir, tmp_path / "masks")) == 3
    assert "not UTF-8" in capsys.readouterr().err


# What ends pycocotools 2.0.11 by signal or gives random pixels if it is let through.
DEADLY: tuple[Any, ...] = (
    [[1e300 * 1e300, *TRIANGLE[1:]]],
    [[NAN, *TRIANGLE[1:]]],
    [[1e9, 1e9, -1e9, 1e9, 0.0, 0.0]],
    rle_of([10**12], [10**6, 10**6]),
    rle_of([100, 200]),
    rle_of([]),
)


def test_f01_deadly_inputs_end_a_process_with_3_and_no_signal(
    images_dir: Path, tmp_path: Path
) -> None:
    commands = []
    for number, segmentation in enumerate(DEADLY):
        table = base_table()
        table["annotations"][0]["segmentation"] = segmentation
        annotations = tmp_path / f"{number}.json"
        annotations.write_text(json.dumps(table))
        commands.append(arguments(annotations, images_dir, tmp_path / "masks"))
    script = (
        "import json, sys; from wristseg.cli.masks import main;"
        "print([main(command) for command in json.load(sys.stdin)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [3] * len(DEADLY)
    assert "Traceback" not in done.stderr
