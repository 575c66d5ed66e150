"""Masks in a LeRobot data set: ids exact, the source's videos the same bytes, nothing half done."""

from __future__ import annotations

import json
from dataclasses import replace

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.lerobot.datasets import CAMERA, decoded_ids, make_dataset, tree
from tests.lerobot.stand_in import ColourSegmenter
from tests.predict.clips import cut, with_moov_first
from wristseg.errors import DataError, UsageError
from wristseg.lerobot import mask_camera
from wristseg.lerobot.config import LerobotMasksConfig
from wristseg.lerobot.masks import RECORD, SHEET, write_lerobot_masks

_MASKS = f"{CAMERA}_mask"
_EPISODES = "meta/episodes/chunk-000/file-000.parquet"
_VERSIONS = ("v2.1", "v3.0")


@pytest.fixture(params=_VERSIONS)
def dataset(request, tmp_path):
    return make_dataset(tmp_path / "pick", request.param)


@pytest.fixture
def dataset_v3(tmp_path):
    return make_dataset(tmp_path / "pick", "v3.0")


@pytest.fixture
def run(checkpoint, tmp_path):
    def write(dataset, **options):
        config = LerobotMasksConfig(dataset, checkpoint, tmp_path / "out", **options)
        return write_lerobot_masks(config)

    return write


def videos(folder, camera=CAMERA):
    return sorted(path for path in folder.rglob("*.mp4") if camera in path.parts)


def read_info(folder):
    return json.loads((folder / "meta/info.json").read_text())


def times(path):
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        pts = [frame.pts * stream.time_base for frame in video.decode(stream)]
        return pts, stream.duration * stream.time_base


def test_every_mask_is_the_models_own_after_decoding(dataset, run, segmenter):
    done = run(dataset)
    for source, masks in zip(videos(dataset), videos(done.output, _MASKS), strict=True):
        with av.open(str(source)) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        expected = [segmenter.predict_rgb(frame) for frame in frames]
        assert len(np.unique(expected)) >= 3
        assert np.array_equal(decoded_ids(masks, done.step), expected)
    assert done.frames == 13


def test_masks_have_the_times_and_the_duration_of_their_frames(dataset, run):
    done = run(dataset)
    for source, masks in zip(videos(dataset), videos(done.output, _MASKS), strict=True):
        assert times(masks) == times(source)


def test_source_is_not_touched_and_its_videos_and_data_are_the_same_bytes(dataset, run):
    before = tree(dataset)
    done = run(dataset)
    assert tree(dataset) == before
    kept = {
        place: digest
        for place, digest in tree(done.output).items()
        if place in before and not place.startswith("meta/")
    }
    assert kept == {k: v for k, v in before.items() if not k.startswith("meta/")}
    assert len(done.unchanged) == len(videos(dataset)) * 2


def test_feature_says_what_the_video_is_and_what_its_levels_mean(dataset, run):
    done = run(dataset)
    before, after = read_info(dataset), read_info(done.output)
    feature = after["features"].pop(_MASKS)
    assert after["features"] == before["features"]
    assert feature["shape"] == [48, 64, 3]
    assert feature["info"]["video.codec"] == "h264"
    assert feature["info"]["wristseg"]["grey_step"] == 40
    assert feature["info"]["wristseg"]["classes"][3] == "cube"
    with av.open(str(videos(done.output, _MASKS)[0])) as video:
        assert video.streams.video[0].pix_fmt == feature["info"]["video.pix_fmt"]
    if before["codebase_version"] == "v2.1":
        assert (before.pop("total_videos"), after.pop("total_videos")) == (6, 9)
    del before["features"], after["features"]
    assert before == after


def test_v3_table_of_episodes_gets_columns_and_loses_nothing(dataset_v3, run):
    done = run(dataset_v3)
    before, after = pq.read_table(dataset_v3 / _EPISODES), pq.read_table(done.output / _EPISODES)
    assert after.select(before.schema.names).equals(before)
    for name in ("chunk_index", "file_index", "from_timestamp", "to_timestamp"):
        assert after[f"videos/{_MASKS}/{name}"] == before[f"videos/{CAMERA}/{name}"]


def own_stats(masks):
    values = np.stack(masks) * 40 / 255
    return {"min": values.min(), "max": values.max(), "mean": values.mean(), "std": values.std()}


def test_statistics_are_those_of_the_decoded_masks(dataset, run):
    done = run(dataset)
    ids = [ids for path in videos(done.output, _MASKS) for ids in decoded_ids(path, done.step)]
    second = own_stats(ids[4:10])
    if (done.output / _EPISODES).exists():
        row = pq.read_table(done.output / _EPISODES).to_pylist()[1]
        found = {name: row[f"stats/{_MASKS}/{name}"] for name in (*second, "count")}
        total = json.loads((done.output / "meta/stats.json").read_text())[_MASKS]
        assert total["count"] == [13]
        assert total["mean"][2][0][0] == pytest.approx(own_stats(ids)["mean"])
    else:
        lines = (done.output / "meta/episodes_stats.jsonl").read_text().splitlines()
        found = json.loads(lines[1])["stats"][_MASKS]
    assert found["count"] == [6]
    assert {k: found[k][0][0][0] for k in second} == pytest.approx(second)
    assert np.shape(found["mean"]) == (3, 1, 1)


def test_record_and_sheet_lie_beside_the_data(dataset_v3, run):
    done = run(dataset_v3)
    record = json.loads((done.output / RECORD).read_text())
    assert record["frames"] == 13
    assert record["camera"] == _MASKS
    assert sum(record["pixels"].values()) == 13 * 48 * 64
    assert (done.output / SHEET).stat().st_size > 1000


def test_linked_videos_take_no_space(dataset, run):
    done = run(dataset, link=True)
    for source, kept in zip(videos(dataset), videos(done.output), strict=True):
        assert source.samefile(kept)
    assert (done.output / "meta/info.json").stat().st_nlink == 1


def test_files_that_a_hub_cache_links_become_files_of_their_own(dataset_v3, run, tmp_path):
    blob = tmp_path / "blob"
    video = videos(dataset_v3)[0]
    video.rename(blob)
    video.symlink_to(blob)
    (dataset_v3 / ".cache/huggingface").mkdir(parents=True)
    (dataset_v3 / ".cache/huggingface/x").write_text("x")
    done = run(dataset_v3)
    kept = videos(done.output)[0]
    assert not kept.is_symlink()
    assert kept.read_bytes() == blob.read_bytes()
    assert not (done.output / ".cache").exists()


def test_frames_of_odd_size_have_exact_masks_too(tmp_path, run, segmenter):
    dataset = make_dataset(tmp_path / "pick", "v3.0", size_hw=(47, 63), lengths=(3,))
    done = run(dataset)
    source, masks = videos(dataset)[0], videos(done.output, _MASKS)[0]
    with av.open(str(source)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    expected = [segmenter.predict_rgb(frame) for frame in frames]
    assert np.array_equal(decoded_ids(masks, done.step), expected)


def nothing_left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []


def test_f10_damaged_video_is_named_and_nothing_is_written(dataset, run, tmp_path):
    video = videos(dataset)[0]
    with_moov_first(video).replace(video)
    cut(video, 0.7)
    with pytest.raises(DataError, match=rf"(?s){video.name}.*declares .* were decoded"):
        run(dataset)
    assert nothing_left(tmp_path)


def test_video_that_lacks_frames_of_an_episode_is_refused(dataset_v3, run, tmp_path):
    table = pq.read_table(dataset_v3 / _EPISODES).to_pylist()
    table[1]["length"] = 8
    pq.write_table(pa.Table.from_pylist(table), dataset_v3 / _EPISODES)
    with pytest.raises(DataError, match="episode 1: frame 6 of 8 is not in the video"):
        run(dataset_v3)
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_interrupted_run_leaves_nothing(dataset_v3, run, tmp_path, monkeypatch, error):
    real, calls = ColourSegmenter.predict_rgb, []

    def predict(self, frame):
        calls.append(1)
        if len(calls) == 5:
            raise error
        return real(self, frame)

    monkeypatch.setattr(ColourSegmenter, "predict_rgb", predict)
    with pytest.raises((KeyboardInterrupt, OSError)):
        run(dataset_v3)
    assert nothing_left(tmp_path)


def test_an_encoder_that_loses_ids_is_found_out_by_reading_back(
    dataset_v3, run, tmp_path, monkeypatch
):
    monkeypatch.setitem(mask_camera.ENCODER, "crf", 40)
    with pytest.raises(DataError, match=r"differ; nothing was kept|other colours than those"):
        run(dataset_v3)
    assert nothing_left(tmp_path)


def test_a_copy_that_differs_is_found_out(dataset_v3, run, tmp_path, monkeypatch):
    def spoil(source, target):
        target.write_bytes(source.read_bytes()[:-1])

    monkeypatch.setattr("wristseg.lerobot.copy.shutil.copyfile", spoil)
    with pytest.raises(DataError, match="after copying"):
        run(dataset_v3)
    assert nothing_left(tmp_path)


def test_missing_video_is_an_error_before_anything_is_computed(dataset, run):
    videos(dataset)[1].unlink()
    with pytest.raises(DataError, match="are missing; download the data set with its data and"):
        run(dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"camera": "side"}, "--camera side; cameras: observation.images.wrist, "),
        ({"name": "observation.images.front"}, "has a feature observation.images.front already"),
    ],
)
def test_camera_and_name_that_cannot_be_are_refused(dataset, run, options, message):
    with pytest.raises(UsageError, match=message):
        run(dataset, **options)


def test_the_masks_themselves_are_no_camera_to_segment(dataset, run, checkpoint):
    first = run(dataset)
    again = LerobotMasksConfig(first.output, checkpoint, first.output.with_name("again"))
    with pytest.raises(UsageError, match=rf"has a feature {_MASKS} already"):
        write_lerobot_masks(again)
    with pytest.raises(UsageError, match="holds masks already; choose another --camera"):
        write_lerobot_masks(replace(again, camera="wrist_mask"))


@pytest.mark.parametrize(
    ("version", "name", "content", "message"),
    [
        ("v3.0", "stats.json", "{", "not JSON"),
        ("v2.1", "episodes_stats.jsonl", '{"episode_index": 7, "stats": {}}', "has episode 7"),
        ("v2.1", "episodes_stats.jsonl", '{"episode_index": 0}', "expected episode_index and st"),
    ],
)
def test_statistics_that_cannot_be_are_found_before_anything_is_segmented(
    tmp_path, run, monkeypatch, version, name, content, message
):
    dataset = make_dataset(tmp_path / "pick", version, lengths=(2,))
    (dataset / "meta" / name).write_text(content)
    monkeypatch.setattr(ColourSegmenter, "predict_rgb", lambda *_: pytest.fail("segmented"))
    with pytest.raises(DataError, match=message):
        run(dataset)


def test_size_that_frames_do_not_have_is_found_before_the_model_is_loaded(
    dataset, run, monkeypatch
):
    info = read_info(dataset)
    info["features"][CAMERA]["shape"] = [24, 32, 3]
    (dataset / "meta/info.json").write_text(json.dumps(info))
    monkeypatch.setattr(
        "wristseg.lerobot.masks.Segmenter.load", lambda *_, **__: pytest.fail("loaded")
    )
    with pytest.raises(DataError, match=r"frames are 48x64, info\.json says 24x32 \(h x w\)"):
        run(dataset)


@pytest.mark.parametrize("name", ["a/b", "..", "a b", ""])
def test_name_that_cannot_be_a_folder_is_refused(dataset_v3, run, name):
    with pytest.raises(UsageError, match="--name"):
        run(dataset_v3, name=name)


def test_other_camera_by_the_last_part_of_its_name(dataset, run):
    done = run(dataset, camera="front", name="masks")
    assert done.source_camera == "observation.images.front"
    assert videos(done.output, "masks")


def test_output_inside_the_data_set_is_refused(dataset_v3, checkpoint):
    config = LerobotMasksConfig(dataset_v3, checkpoint, dataset_v3 / "masks")
    with pytest.raises(UsageError, match="choose a folder"):
        write_lerobot_masks(config)
    assert not (dataset_v3 / "masks").exists()


def test_output_is_replaced_only_when_asked_and_only_if_it_is_ours(dataset_v3, run):
    done = run(dataset_v3)
    with pytest.raises(UsageError, match="not empty"):
        run(dataset_v3)
    run(dataset_v3, overwrite=True)
    (done.output / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        run(dataset_v3, overwrite=True)


def test_masks_of_a_second_camera_can_be_added_to_those_of_the_first(dataset, run, checkpoint):
    first = run(dataset)
    second = first.output.with_name("both")
    config = LerobotMasksConfig(first.output, checkpoint, second, camera="front")
    done = write_lerobot_masks(config)
    assert {_MASKS, done.camera} <= set(read_info(second)["features"])
    assert done.frames == 13
