"""``data/dataset_v0`` and ``data/clips`` as committed: counts, names, marks, sizes, bytes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

_DATA = Path(__file__).resolve().parents[2] / "data"
_DATASET = _DATA / "dataset_v0"
_MB = 1_000_000


def _json(name):
    return json.loads((_DATASET / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def table():
    return _json("annotations/instances_default.json")


def _committed(folder):
    # Masks and runs that a person makes beside the data are git-ignored.
    return [p for p in folder.rglob("*") if p.is_file() and "masks" not in p.parts]


def test_budget_of_bytes_is_kept():
    dataset = sum(path.stat().st_size for path in _committed(_DATASET))
    clips = [path.stat().st_size for path in sorted((_DATA / "clips").glob("*.mp4"))]
    assert dataset <= 12 * _MB
    assert len(clips) == 2
    assert max(clips) <= _MB
    assert dataset + sum(clips) <= 14 * _MB


def test_170_frames_of_five_recordings(table):
    names = [image["file_name"] for image in table["images"]]
    assert all(re.fullmatch(r"(camera_rec|grasp_demo)\d_frame_\d{4}\.jpg", n) for n in names)
    assert Counter(name.split("_frame_")[0] for name in names) == {
        "camera_rec0": 23,
        "camera_rec1": 9,
        "grasp_demo0": 43,
        "grasp_demo1": 47,
        "grasp_demo2": 48,
    }
    files = {path.name for path in (_DATASET / "images" / "default").iterdir()}
    assert files == set(names)


def test_26_grasp_marks_and_7_excluded_frames(table):
    names = {image["file_name"] for image in table["images"]}
    grasp, excluded = _json("selections.json")["marks"], _json("excluded.json")["marks"]
    assert len(grasp) == 26
    assert set(grasp) <= names
    assert len(excluded) == 7
    assert set(excluded) <= names
    assert set(excluded.values()) == {"Excluded"}
    assert not set(grasp) & set(excluded)


def test_readme_names_every_excluded_frame():
    text = (_DATASET / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in _json("excluded.json")["marks"])


def test_pictures_are_640x480_and_well_exposed(table):
    for image in table["images"][::10]:
        with Image.open(_DATASET / "images" / "default" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"]) == (640, 480)
            assert 40 < np.asarray(picture.convert("L")).mean() < 215


def test_usable_frames_label_background_table_and_both_fingers(table):
    names = {category["id"]: category["name"] for category in table["categories"]}
    excluded = _json("excluded.json")["marks"]
    labelled: dict[int, set[str]] = {}
    for row in table["annotations"]:
        labelled.setdefault(row["image_id"], set()).add(names[row["category_id"]])
    usable = [image for image in table["images"] if image["file_name"] not in excluded]
    assert len(usable) == 163
    needed = {"background", "table", "static_finger", "moving_finger"}
    assert all(needed <= labelled[image["id"]] for image in usable)
    assert sum("cube" in labelled[image["id"]] for image in usable) >= 130


def test_every_form_of_segmentation_occurs(table):
    forms = Counter()
    for row in table["annotations"]:
        segmentation = row["segmentation"]
        if isinstance(segmentation, list):
            forms["several polygons" if len(segmentation) > 1 else "polygon"] += 1
        else:
            assert row["iscrowd"] == 1
            forms["text" if isinstance(segmentation["counts"], str) else "list"] += 1
    assert set(forms) == {"polygon", "several polygons", "text", "list"}


def test_clips_play_to_the_end():
    for name in ("grasp", "shadow"):
        with av.open(str(_DATA / "clips" / f"{name}.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert (stream.width, stream.height) == (640, 480)
            declared = stream.frames
            frames = sum(1 for _ in container.decode(video=0))
        assert frames == declared
        assert 3 <= frames / 30 <= 5
