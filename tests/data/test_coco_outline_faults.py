"""F02, F03: run lengths and polygons beyond the rules are refused, odd ones warned about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.coco_tables import (
    HEIGHT,
    HUGE,
    INF,
    NAN,
    TRIANGLE,
    WIDTH,
    arguments,
    base_table,
    refusal,
    rle_of,
)
from wristseg import rle
from wristseg.cli.masks import main

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
