"""F01-F04: malformed COCO files are refused, every fault listed, and never reach native code."""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wristseg import rle
from wristseg.classes import DEFAULT_CLASSES
from wristseg.cli.masks import main
from wristseg.data.coco import examine_coco

HEIGHT, WIDTH = 12, 16
TRIANGLE = [1.0, 1.0, 9.0, 1.0, 5.0, 8.0]
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[2:6, 3:9] = 1
COUNTS = rle.encode(MASK)

Edit = Callable[[dict[str, Any]], Any]


def base_table() -> dict[str, Any]:
    """A valid file with a polygon, plain and compressed run lengths; a copy each time."""
    def annotation(number: int, image_id: int, segmentation: Any) -> dict[str, Any]:
        return {
            "id": number,
            "image_id": image_id,
            "category_id": 1,
            "segmentation": segmentation,
            "iscrowd": 0,
            "area": 1.0,
            "bbox": [0, 0, 1, 1],
        }

    return {
        "images": [
            {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 2, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "categories": [{"id": 1, "name": "cube", "supercategory": ""}],
        "annotations": [
            annotation(1, 1, [list(TRIANGLE)]),
            annotation(2, 2, {"size": [HEIGHT, WIDTH], "counts": list(COUNTS)}),
            annotation(3, 2, {"size": [HEIGHT, WIDTH], "counts": rle.compress(COUNTS)}),
        ],
    }


@pytest.fixture(scope="module")
def images_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
    return folder


def arguments(annotations: Path, images_dir: Path, output: Path) -> list[str]:
    return [
        *("--dataset-path", str(annotations.parent), "--annotations", str(annotations)),
        *("--images", str(images_dir), "--output-dir", str(output)),
    ]


def refusal(text: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command on a COCO text that must be refused; return what it says."""
    annotations, output = tmp_path / "coco.json", tmp_path / "masks"
    annotations.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert main(arguments(annotations, images_dir, output)) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert not output.exists(), "something was written"
    return said


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


NAN, INF = float("nan"), float("inf")
HUGE = 10**400

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
        put("annotations", 0, "segmentation", {"size": [HEIGHT, WIDTH]}),
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


def rle_of(counts: Any, size: Any = None) -> dict[str, Any]:
    return {"size": [HEIGHT, WIDTH] if size is None else size, "counts": counts}


PIXELS = HEIGHT * WIDTH
F02_CASES: dict[str, tuple[Any, str]] = {
    "under-full": (rle_of([10, 5]), "add up to 15"),
    "over-full": (rle_of([100, 200]), "add up to 300"),
    "size swapped": (rle_of([PIXELS], [WIDTH, HEIGHT]), "RLE size is [16, 12]"),
    "size of a million squared": (rle_of([10**12], [10**6, 10**6]), "RLE size is [1000000"),
    "size of floats": (rle_of([PIXELS], [12.0, 16.0]), "RLE size is [12.0, 16.0]"),
    "empty list": (rle_of([]), "counts are a list of 0"),
    "empty text": (rle_of(""), "compressed RLE: no counts"),
    "negative": (rle_of([-1, PIXELS + 1]), "hold -1"),
    "float": (rle_of([10.5, PIXELS - 10.5]), "hold 10.5"),
    "unterminated text": (rle_of("P"), "unterminated"),
    "text of other characters": (rle_of("héllo"), "do not use"),
    "text that adds up to less": (rle_of(rle.compress([3, 4])), "add up to 7"),
    "text with a huge count": (rle_of("o" * 20 + "0"), "too long for any image"),
    "text with a negative count": (rle_of("O0"), "negative"),
    "huge count": (rle_of([10**30]), "add up to 1000"),
}


@pytest.mark.parametrize("case", F02_CASES)
def test_f02_broken_rle_is_refused(
    case: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segmentation, expected = F02_CASES[case]
    table = base_table()
    table["annotations"][1]["segmentation"] = segmentation
    assert expected in refusal(json.dumps(table), images_dir, tmp_path, capsys)


F03_REFUSED: dict[str, tuple[Any, str]] = {
    "NaN": ([[NAN, *TRIANGLE[1:]]], "x = nan"),
    "infinite": ([[*TRIANGLE[:5], INF]], "y = inf"),
    "1e9": ([[1e9, *TRIANGLE[1:]]], "x = 1000000000.0"),
    "-1e9": ([[-1e9, *TRIANGLE[1:]]], "expected -16 to 32"),
    "huge whole number": ([[HUGE, *TRIANGLE[1:]]], "x = 1000"),
    "beyond twice the height": ([[1.0, 24.5, *TRIANGLE[2:]]], "expected -12 to 24"),
    "odd": ([TRIANGLE[:5]], "has 5 numbers"),
    "4 numbers": ([[1.0, 1.0, 9.0, 9.0]], "fewer than 3 points"),
    "no numbers": ([[]], "has 0 numbers"),
    "second part broken": ([TRIANGLE, [1.0]], "polygon part 2 has 1 numbers"),
}

F03_WARNED: dict[str, tuple[Any, str]] = {
    "outside": ([[-10.0, 2.0, 20.0, 2.0, 8.0, 20.0]], "outside the image"),
    "speck beside a part": ([[2.0, 2.0, 2.0, 2.0], TRIANGLE], "fewer than 3 points are left out"),
}


def test_f03_number_too_large_for_a_float_is_refused(
    images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = base_table()
    table["annotations"][0]["segmentation"] = [[123456.5, *TRIANGLE[1:]]]
    text = json.dumps(table).replace("123456.5", "1e999")
    assert "x = inf" in refusal(text, images_dir, tmp_path, capsys)


F03_DRAWN = {
    "self-crossing": [[1.0, 1.0, 9.0, 9.0, 9.0, 1.0, 1.0, 9.0]],
    "zero area": [[2.0, 2.0, 8.0, 2.0, 5.0, 2.0]],
}


@pytest.mark.parametrize("case", F03_REFUSED)
def test_f03_polygon_beyond_the_rules_is_refused(
    case: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segmentation, expected = F03_REFUSED[case]
    table = base_table()
    table["annotations"][0]["segmentation"] = segmentation
    assert expected in refusal(json.dumps(table), images_dir, tmp_path, capsys)


@pytest.mark.parametrize("case", F03_WARNED)
def test_f03_odd_polygon_is_warned_about(
    case: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segmentation, expected = F03_WARNED[case]
    table = base_table()
    table["annotations"][0]["segmentation"] = segmentation
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(table))
    assert main(arguments(annotations, images_dir, tmp_path / "masks")) == 0
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("case", F03_DRAWN)
def test_f03_crossing_and_flat_polygons_are_drawn_twice_the_same(
    case: str, images_dir: Path, tmp_path: Path
) -> None:
    table = base_table()
    table["annotations"][0]["segmentation"] = F03_DRAWN[case]
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(table))
    for run in ("first", "second"):
        assert main(arguments(annotations, images_dir, tmp_path / run)) == 0
    first, second = ((tmp_path / run / "a.png").read_bytes() for run in ("first", "second"))
    assert first == second


F04_NAMES = {
    "parent": ("../canary.png", "leads out"),
    "parent in the middle": ("x/../../canary.png", "leads out"),
    "parent by backslash": ("..\\canary.png", "leads out"),
    "absolute": ("/canary.png", "is absolute"),
    "drive": ("C:\\canary.png", "is absolute"),
    "UNC": ("\\\\server\\share\\canary.png", "is absolute"),
    "NUL": ("a.png\0", "no file name can have"),
    "lone surrogate": ("\ud800.png", "no file name can have"),
    "symlink out": ("link.png", "a link that leads out"),
    "symlinked folder out": ("linked/canary.png", "a link that leads out"),
    "directory": ("folder.png", "not a regular file"),
    "pipe": ("pipe.png", "not a regular file"),
    "socket": ("socket.png", "not a regular file"),
    "dangling symlink": ("dangling.png", "cannot be opened"),
    "case differs": ("A.PNG", "there is 'a.png'"),
    "too long": ("x" * 5000 + ".png", "no such image"),
}


@pytest.fixture
def trapped_images_dir(tmp_path: Path) -> Path:
    """An image folder with links, a pipe and a socket, and a readable canary beside it."""
    folder = tmp_path / "images"
    folder.mkdir()
    for path in (folder / "a.png", folder / "b.png", tmp_path / "canary.png"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    (folder / "link.png").symlink_to(tmp_path / "canary.png")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    (folder / "dangling.png").symlink_to(folder / "nothing.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket may have 108 characters
        server.bind("socket.png")
        os.chdir(here)
    return folder


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", F04_NAMES)
def test_f04_file_name_that_leads_elsewhere_is_refused(
    case: str, trapped_images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, expected = F04_NAMES[case]
    table = base_table()
    table["images"][0]["file_name"] = name
    said = refusal(json.dumps(table), trapped_images_dir, tmp_path, capsys)
    assert expected in said
    assert "image 1" in said


@pytest.mark.timeout(20)
@pytest.mark.parametrize("option", ["--annotations", "--selections", "--excluded"])
def test_f04_pipe_in_place_of_a_label_file_does_not_hang(
    option: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(base_table()))
    os.mkfifo(tmp_path / "pipe.json")
    command = [*arguments(annotations, images_dir, tmp_path / "masks"), option]
    assert main([*command, str(tmp_path / "pipe.json")]) == 3
    assert "not a regular file" in capsys.readouterr().err


def test_names_that_differ_in_case_only_are_refused(images_dir: Path, tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(images_dir / "A.png")
    table = base_table()
    table["images"][1]["file_name"] = "A.png"
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(table))
    _, problems = examine_coco(annotations, images_dir, DEFAULT_CLASSES)
    assert [problem.topic for problem in problems] == ["names"]


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
