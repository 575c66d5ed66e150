"""Cameras whose frames are images in the tables: read like videos, and masked as one."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.lerobot.datasets import CAMERA, decoded_ids, make_dataset, tree
from tests.predict.clips import frame_picture
from wristseg.cli.main import main
from wristseg.errors import DataError
from wristseg.lerobot.config import LerobotMasksConfig
from wristseg.lerobot.masks import write_lerobot_masks

_MASKS = f"{CAMERA}_mask"
_EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(params=["v2.1", "v3.0"])
def dataset(request, tmp_path):
    return make_dataset(tmp_path / "pick", request.param, cameras=(CAMERA,), images=(CAMERA,))


@pytest.fixture
def run(checkpoint, tmp_path):
    def write(dataset):
        return write_lerobot_masks(LerobotMasksConfig(dataset, checkpoint, tmp_path / "out"))

    return write


def first_table(dataset):
    return sorted((dataset / "data").rglob("*.parquet"))[0]


def edit_rows(dataset, change):
    path = first_table(dataset)
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_masks_of_images_are_exact_in_a_video_and_the_tables_stay_the_same_bytes(
    dataset, run, segmenter
):
    before = tree(dataset)
    done = run(dataset)
    assert tree(dataset) == before
    kept = {k: v for k, v in tree(done.output).items() if k.startswith("data/")}
    assert kept == {k: v for k, v in before.items() if k.startswith("data/")}
    videos = sorted((done.output / "videos").rglob("*.mp4"))
    ids = [mask for path in videos for mask in decoded_ids(path, done.step)]
    expected = [segmenter.predict_rgb(frame_picture(i, (48, 64))) for i in range(13)]
    assert np.array_equal(ids, expected)
    assert done.frames == 13


def test_description_says_that_there_is_a_video_now(dataset, run):
    info = json.loads((run(dataset).output / "meta/info.json").read_text())
    assert info["features"][CAMERA]["dtype"] == "image"
    assert info["features"][_MASKS]["dtype"] == "video"
    assert "{video_key}" in info["video_path"]
    if info["codebase_version"] == "v2.1":
        assert info["total_videos"] == 3


def test_v3_episodes_have_their_masks_one_after_another(tmp_path, run):
    dataset = make_dataset(tmp_path / "pick", "v3.0", cameras=(CAMERA,), images=(CAMERA,))
    rows = pq.read_table(run(dataset).output / _EPISODES).to_pylist()
    begins = [row[f"videos/{_MASKS}/from_timestamp"] for row in rows]
    ends = [row[f"videos/{_MASKS}/to_timestamp"] for row in rows]
    assert begins == pytest.approx([0, 4 / 30, 10 / 30])
    assert ends == pytest.approx([4 / 30, 10 / 30, 13 / 30])
    assert [row[f"stats/{_MASKS}/count"] for row in rows] == [[4], [6], [3]]


def test_frames_are_taken_out_under_their_episodes_names(dataset, tmp_path):
    out = tmp_path / "out"
    arguments = [str(dataset), "--lerobot", "--every", "3", "--image-format", "png"]
    assert main(["frames", *arguments, "--output", str(out)]) == 0
    names = sorted(path.name for path in (out / "images").iterdir())
    numbers = {0: (0, 3), 1: (0, 3), 2: (0,)}
    assert names == [f"pick_ep{e:04d}_frame_{i:04d}.png" for e in numbers for i in numbers[e]]
    found = np.asarray(Image.open(out / "images/pick_ep0001_frame_0003.png"))
    assert np.array_equal(found, frame_picture(7, (48, 64)))


def test_wrist_camera_of_images_is_preferred_to_another_of_videos(tmp_path, run):
    run_set = make_dataset(tmp_path / "pick", "v3.0", images=(CAMERA,))
    assert run(run_set).source_camera == CAMERA


def damage(rows):
    rows[2][CAMERA]["bytes"] = rows[2][CAMERA]["bytes"][:60]


def name_only(rows):
    rows[2][CAMERA] = {"bytes": None, "path": "frame.png"}


def swap(rows):
    rows[1]["frame_index"], rows[2]["frame_index"] = 2, 1


def lose(rows):
    del rows[3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage, "row 2: cannot be decoded|row 2: not a readable"),
        (name_only, "row 2: not a readable"),
        (swap, "row 1 is frame 2 of episode 0, the tables of episodes have frame 1 of episode 0"),
        (lose, "frame 3"),
    ],
)
def test_table_that_is_not_whole_is_named_and_nothing_is_written(
    dataset, run, tmp_path, change, message
):
    edit_rows(dataset, change)
    with pytest.raises(DataError, match=message):
        run(dataset)
    assert not (tmp_path / "out").exists()
