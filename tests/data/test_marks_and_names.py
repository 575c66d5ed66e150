"""Marks are matched by stem, and names tell stem, source and recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wristseg.data.marks import read_excluded, read_selections
from wristseg.data.names import frame_stem, recording_of, source_stem
from wristseg.errors import DataError


def marks_file(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "marks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_any_label_selects_but_only_excluded_excludes(tmp_path: Path) -> None:
    marks = {"a.jpg": "Grasp", "b.png": "Excluded", "c.jpg": "", "d.jpg": "excluded"}
    path = marks_file(tmp_path, {"marks": marks, "version": 2})
    assert read_selections(path) == {"a", "b", "c", "d"}
    assert read_excluded(path) == {"b"}


def test_one_of_two_marks_of_a_stem_is_enough(tmp_path: Path) -> None:
    path = marks_file(tmp_path, {"marks": {"a.png": "Excluded", "a.jpg": "ok"}})
    assert read_excluded(path) == {"a"}


def test_no_file_marks_nothing() -> None:
    assert read_selections(None) == read_excluded(None) == frozenset()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ([], "expected"),
        ({"a.jpg": "Grasp"}, "expected"),
        ({"marks": ["a.jpg"]}, "expected"),
        ({"marks": {"a.jpg": None}}, "mark 'a.jpg' has the label None"),
        ({"marks": {"a.jpg": 1, "b.jpg": {}}}, "2 problems"),
    ],
)
def test_file_that_holds_no_marks_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_selections(marks_file(tmp_path, content))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.jpg", "a"),
        ("images/a.JPEG", "a"),
        ("C:\\frames\\a.png", "a"),
        ("run.01.png", "run.01"),
        ("run.01", "run.01"),
        (".png", ".png"),
        ("cadre_é 1.webp", "cadre_é 1"),
    ],
)
def test_stem_loses_folders_and_image_suffixes_only(name: str, stem: str) -> None:
    assert frame_stem(name) == stem


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("grasp_demo1_frame_0042.jpg", "grasp_demo1"),
        ("rec_000123.png", "rec"),
        ("rec-12.jpg", "rec"),
        ("camera_rec0_frame_0007.jpg", "camera_rec0"),
        ("demo2.frame.10.jpg", "demo2"),
        ("take 3 img 5.jpg", "take 3"),
        ("cube.jpg", "cube"),
        ("0001.jpg", ""),
        ("demo3_frame_0042_jpg.rf.0a1b2c3d4e5f.jpg", "demo3"),
    ],
)
def test_recording_is_the_name_without_its_frame_number(name: str, recording: str) -> None:
    assert recording_of(name) == recording


def test_label_studio_names_of_uploads_and_of_exports_with_images_lead_back_to_their_source() -> (
    None
):
    assert source_stem("0a1b2c3d-a_frame_1.jpg") == "a_frame_1"
    assert source_stem("0a1b2c3d__a_frame_1.jpg") == "a_frame_1"
    assert source_stem("f00dcafe__0a1b2c3d-a_frame_1.jpg") == "a_frame_1"
    assert source_stem("demo__a_frame_1.jpg") == "demo__a_frame_1"


def test_roboflow_names_lead_back_to_their_source() -> None:
    assert source_stem("a_frame_1_jpg.rf.f00d.jpg") == "a_frame_1"
    assert source_stem("a_frame_1.jpg") == "a_frame_1"
