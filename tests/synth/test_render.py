"""Rendering itself, small: frames that do not depend on the workers, labels that fit, clips."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from wristseg.classes import DEFAULT_CLASSES
from wristseg.cli.render import main

pytestmark = pytest.mark.sim

#: Drawn as finely as 640x480: above the rows that have less detail.
_OPTIONS = ["--height", "242", "--width", "320"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Six frames of dataset-v0, of which some are grasp frames, on one process."""
    folder = tmp_path_factory.mktemp("render") / "one"
    options = ["--frames", "6", "--workers", "1", "--exact-masks", *_OPTIONS]
    assert main(["--output", str(folder), *options]) == 0
    return folder


def _files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_same_bytes_for_any_number_of_workers(rendered, tmp_path):
    other = tmp_path / "two"
    options = ["--frames", "6", "--workers", "2", "--exact-masks", *_OPTIONS]
    assert main(["--output", str(other), *options]) == 0
    assert _files(other) == _files(rendered)


def test_another_seed_gives_other_frames(rendered, tmp_path):
    options = ["--frames", "1", "--workers", "1", "--seed", "5", *_OPTIONS]
    assert main(["--output", str(tmp_path / "other"), *options]) == 0
    (path,) = (tmp_path / "other" / "images" / "default").iterdir()
    first = min((rendered / "images" / "default").iterdir())
    assert path.name.startswith("camera_rec0_frame_")
    assert path.read_bytes() != first.read_bytes()


def _drawn(rows, names, tag, size_hw):
    mask = np.zeros(size_hw, np.uint8)
    for class_id in DEFAULT_CLASSES.order_ids(tag):
        for row in rows:
            if names[row["category_id"]] != DEFAULT_CLASSES.names[class_id]:
                continue
            segmentation = row["segmentation"]
            if isinstance(segmentation, list):
                segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size_hw))
            elif isinstance(segmentation["counts"], list):
                segmentation = coco_mask.frPyObjects(segmentation, *size_hw)
            mask[coco_mask.decode(segmentation) > 0] = class_id
    return mask


def test_annotations_in_draw_order_give_the_exact_mask_nearly(rendered):
    table = json.loads((rendered / "annotations" / "instances_default.json").read_text())
    grasp = json.loads((rendered / "selections.json").read_text())["marks"]
    excluded = json.loads((rendered / "excluded.json").read_text())["marks"]
    names = {category["id"]: category["name"] for category in table["categories"]}
    assert grasp
    for image in table["images"]:
        if image["file_name"] in excluded:
            continue
        rows = [row for row in table["annotations"] if row["image_id"] == image["id"]]
        tag = "grasp" if image["file_name"] in grasp else "default"
        exact = rendered / "exact_masks" / image["file_name"].replace(".jpg", ".png")
        with Image.open(exact) as picture:
            truth = np.array(picture)
        drawn = _drawn(rows, names, tag, truth.shape)
        assert 0.95 < (drawn == truth).mean() < 1.0


def test_pictures_are_jpegs_of_the_size_asked_for(rendered):
    paths = sorted((rendered / "images" / "default").iterdir())
    assert len(paths) == 6
    for path in paths:
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("JPEG", (320, 242))
            assert 30 < np.array(picture).mean() < 225


def test_randomised_frames_have_the_classes_of_the_table(tmp_path):
    folder = tmp_path / "random"
    options = ["--preset", "randomised", "--frames", "4", "--exact-masks", *_OPTIONS]
    assert main(["--output", str(folder), *options]) == 0
    for path in (folder / "exact_masks").iterdir():
        with Image.open(path) as picture:
            assert set(np.unique(np.array(picture))) <= set(range(1, 6))


def test_holdout_says_in_its_folder_that_it_is_for_reporting_only(tmp_path):
    folder = tmp_path / "holdout"
    options = ["--preset", "holdout", "--frames", "6", "--workers", "1", *_OPTIONS]
    assert main(["--output", str(folder), *options]) == 0
    said = (folder / "README.md").read_text(encoding="utf-8")
    assert "For measuring and reporting only" in said
    assert "| holdout_side00 | 5 |" in said
    assert "| holdout_warm00 | 1 |" in said
    assert len(list((folder / "images" / "default").iterdir())) == 6


def test_clip_is_h264_that_players_open(tmp_path):
    options = ["--clips", "shadow", "--frames", "8", "--workers", "1", *_OPTIONS]
    assert main(["--output", str(tmp_path / "clips"), *options]) == 0
    with av.open(str(tmp_path / "clips" / "shadow.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 30
        assert sum(1 for _ in container.decode(video=0)) == 8


def test_overwrite_replaces_the_folder_as_a_whole(tmp_path):
    folder = tmp_path / "set"
    (folder / "exact_masks").mkdir(parents=True)
    (folder / "origin.json").write_text("{}")
    assert main(["--output", str(folder), "--overwrite", "--frames", "1", *_OPTIONS]) == 0
    assert not (folder / "exact_masks").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_no_opengl_is_one_line(tmp_path, monkeypatch, capfd):
    # A device that is not there stands for a machine without EGL.
    monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", "99")
    assert main(["--output", str(tmp_path / "set"), "--frames", "1", *_OPTIONS]) == 2
    said = capfd.readouterr().err
    assert "no off-screen OpenGL: install EGL" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_render_leaves_nothing(tmp_path, number, code):
    command = [sys.executable, "-m", "wristseg", "render", "--output", str(tmp_path / "set")]
    with subprocess.Popen([*command, *_OPTIONS], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".set.*/images/default/*.jpg")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(60) == code
    assert list(tmp_path.iterdir()) == []
