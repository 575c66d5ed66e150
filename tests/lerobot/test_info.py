"""Faults of a data set's description: named, all of them, before anything is computed."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.lerobot.datasets import CAMERA, make_dataset
from wristseg.errors import DataError, MissingExtraError, UsageError
from wristseg.lerobot import tables
from wristseg.lerobot.dataset import camera_files
from wristseg.lerobot.info import DatasetInfo

_EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "pick", "v3.0", lengths=(2, 2))


def edit(dataset, change):
    path = dataset / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def edit_row(dataset, **values):
    rows = pq.read_table(dataset / _EPISODES).to_pylist()
    rows[0] |= values
    pq.write_table(pa.Table.from_pylist(rows), dataset / _EPISODES)


def test_folder_without_description_is_no_data_set(tmp_path):
    with pytest.raises(UsageError, match=r"no LeRobot data set, there is no meta/info\.json"):
        DatasetInfo.read(tmp_path)


def test_unknown_format_is_refused_with_those_that_are_known(dataset):
    edit(dataset, lambda info: info.update(codebase_version="v4.0"))
    with pytest.raises(UsageError, match=r"format v4\.0, expected one of v2\.0, v2\.1, v3\.0"):
        DatasetInfo.read(dataset)


def test_all_faults_are_listed_at_once(dataset):
    def spoil(info):
        info |= {"fps": 0, "chunks_size": 0, "video_path": "{video_key.__class__}"}
        info["features"][CAMERA]["shape"] = [48]

    edit(dataset, spoil)
    with pytest.raises(DataError) as caught:
        DatasetInfo.read(dataset)
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("template", ["../{video_key}.mp4", "/tmp/{video_key}.mp4"])
def test_f04_video_path_that_leads_out_of_the_folder_is_refused(dataset, template):
    edit(dataset, lambda info: info.update(video_path=template))
    with pytest.raises(DataError, match="leads out of the data set"):
        camera_files(DatasetInfo.read(dataset), CAMERA)


def test_depth_maps_are_no_cameras(dataset):
    def deepen(info):
        info["features"]["observation.images.front"]["info"] = {"is_depth_map": True}

    edit(dataset, deepen)
    assert DatasetInfo.read(dataset).cameras == (CAMERA,)


@pytest.mark.parametrize("key", ["info", "video_info"])
def test_feature_whose_info_is_no_object_is_a_fault(dataset, key):
    edit(dataset, lambda info: info["features"][CAMERA].update({key: "h264"}))
    with pytest.raises(DataError, match=f"camera {CAMERA}: {key} is 'h264', expected an object"):
        DatasetInfo.read(dataset)


def test_wrist_camera_is_the_obvious_one_among_several(dataset):
    info = DatasetInfo.read(dataset)
    assert info.camera(None) == CAMERA
    assert info.camera("front") == "observation.images.front"


def test_channels_first_is_understood(dataset):
    def turn(info):
        info["features"][CAMERA] |= {"shape": [3, 48, 64], "names": ["channels", "height", "width"]}

    edit(dataset, turn)
    assert DatasetInfo.read(dataset).size_hw(CAMERA) == (48, 64)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"length": 0}, "length is 0, expected a whole number from 1 on"),
        ({f"videos/{CAMERA}/from_timestamp": -1.0}, r"from_timestamp is -1\.0, expected seconds"),
        ({"episode_index": 1}, "episode 1 stands twice"),
    ],
)
def test_rows_that_cannot_be_are_named(dataset, values, message):
    edit_row(dataset, **values)
    with pytest.raises(DataError, match=message):
        camera_files(DatasetInfo.read(dataset), CAMERA)


def test_table_that_is_none_is_named(dataset):
    (dataset / _EPISODES).write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="is no Parquet table that can be read"):
        camera_files(DatasetInfo.read(dataset), CAMERA)


def test_broken_line_of_v2_is_named(tmp_path):
    dataset = make_dataset(tmp_path / "old", "v2.1", lengths=(2,))
    (dataset / "meta/episodes.jsonl").write_text('{"episode_index": 0, "length": 2}\n{"epi')
    with pytest.raises(DataError, match="line 2 is no JSON"):
        camera_files(DatasetInfo.read(dataset), CAMERA)


def test_v2_needs_no_pyarrow_and_v3_says_what_to_install(tmp_path, dataset, monkeypatch):
    old = make_dataset(tmp_path / "old", "v2.1", lengths=(2,))

    def missing():
        raise MissingExtraError("pyarrow", "lerobot")

    monkeypatch.setattr(tables, "_parquet", missing)
    assert camera_files(DatasetInfo.read(old), CAMERA)
    with pytest.raises(MissingExtraError, match=r"pip install 'wristseg\[lerobot\]'"):
        camera_files(DatasetInfo.read(dataset), CAMERA)
