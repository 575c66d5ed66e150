"""Frames out of videos: those asked for, under names that lead back to their recording."""

from __future__ import annotations

import json
import os

import av
import numpy as np
import pytest
from PIL import Image

from tests.predict.clips import cut, frame_picture, make_clip, with_moov_first
from wristseg.artifacts import sha256_of
from wristseg.data.names import recording_of
from wristseg.errors import DataError, UsageError
from wristseg.images import read_image_rgb
from wristseg.labeling.config import FramesConfig
from wristseg.labeling.sample import RECORD, sample_frames
from wristseg.predict.video import VideoReader


def sample(inputs, output, **options):
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return sample_frames(FramesConfig(tuple(map(str, inputs)), output, **options))


def numbers(done):
    return [frame["number"] for frame in done.frames]


def stems(folder):
    return sorted(path.stem for path in (folder / "images").iterdir())


@pytest.fixture
def two_scenes(tmp_path):
    """Twelve frames of a resting camera, then twelve of another place; three rolls of noise."""
    rng = np.random.default_rng(0)
    with av.open(str(tmp_path / "rest.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for i in range(24):
            picture = np.full((96, 128, 3), 60 if i < 12 else 180, np.int16)
            picture += rng.integers(-3, 4, picture.shape, np.int16)
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return tmp_path / "rest.mp4"


def test_every_seventh_frame_has_its_number_in_its_name(clip, tmp_path):
    done = sample(clip, tmp_path / "out", every=7)
    assert numbers(done) == [0, 7, 14]
    assert stems(tmp_path / "out") == [f"run_frame_{number:04d}" for number in (0, 7, 14)]
    assert {recording_of(stem) for stem in stems(tmp_path / "out")} == {"run"}


def test_seconds_follow_the_times_of_the_frames_not_their_numbers(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=5, times_ms=[0, 400, 1100, 1200, 3000])
    assert numbers(sample(clip, tmp_path / "out", seconds=1)) == [0, 2, 4]


def test_two_frames_a_second_are_taken_where_nothing_is_said(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=46, fps=30)
    assert numbers(sample(clip, tmp_path / "out")) == [0, 15, 30, 45]


def test_png_frames_are_those_of_the_video_to_the_bit(clip, tmp_path):
    sample(clip, tmp_path / "out", every=19, image_format="png")
    with VideoReader(clip) as reader:
        frames = [frame.rgb for frame in reader]
    written = read_image_rgb(tmp_path / "out" / "images" / "run_frame_0019.png")
    np.testing.assert_array_equal(written, frames[19])


def test_pick_takes_one_frame_of_each_scene_and_no_near_duplicate(two_scenes, tmp_path):
    done = sample(two_scenes, tmp_path / "out", pick=20)
    assert done.candidates == 24
    assert len(done.frames) == 2
    first, second = numbers(done)
    assert first < 12 <= second


def test_pick_chooses_among_the_frames_that_every_takes(clip, tmp_path):
    done = sample(clip, tmp_path / "out", pick=3, every=5)
    assert done.candidates == 4
    assert set(numbers(done)) <= {0, 5, 10, 15}


def test_pick_counts_over_all_videos(clip, two_scenes, tmp_path):
    done = sample((clip, two_scenes), tmp_path / "out", pick=3)
    assert len(done.frames) == 3
    assert len({frame["video"] for frame in done.frames}) == 2


def test_the_same_frames_are_picked_again(clip, tmp_path):
    first = sample(clip, tmp_path / "one", pick=4)
    assert numbers(sample(clip, tmp_path / "two", pick=4)) == numbers(first)


def test_record_leads_back_to_the_video(clip, tmp_path):
    sample(clip, tmp_path / "out", every=10)
    said = json.loads((tmp_path / "out" / RECORD).read_text())
    assert said["videos"] == {str(clip): sha256_of(clip)}
    assert said["frames"][1] == {
        "file": "images/run_frame_0010.jpg",
        "video": str(clip),
        "number": 10,
        "time_s": pytest.approx(10 / 30, abs=1e-4),
    }


def test_f10_what_could_be_read_of_a_damaged_video_is_kept(tmp_path):
    clip = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), 0.6)
    done = sample(clip, tmp_path / "out", pick=5)
    assert 0 < len(done.frames) <= 5
    assert len(done.problems) == 1
    assert "declares 40 frames" in done.problems[0]


def test_f10_unreadable_video_beside_a_good_one_is_a_problem(clip, tmp_path):
    (tmp_path / "text.mp4").write_text("text")
    os.mkfifo(tmp_path / "pipe.mp4")
    done = sample((clip, tmp_path / "text.mp4", tmp_path / "pipe.mp4"), tmp_path / "out", every=10)
    assert len(done.frames) == 2
    assert len(done.problems) == 2


def test_f10_nothing_readable_leaves_no_folder(tmp_path):
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(DataError, match=r"text\.mp4"):
        sample(tmp_path / "text.mp4", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_images_beside_videos_are_passed_over_and_alone_refused(clip, tmp_path):
    Image.fromarray(frame_picture(0)).save(tmp_path / "a.png")
    assert {frame["video"] for frame in sample(tmp_path, tmp_path / "out").frames} == {str(clip)}
    with pytest.raises(UsageError, match="no video"):
        sample(tmp_path / "a.png", tmp_path / "other")


def test_annotations_put_beside_the_frames_are_never_overwritten(clip, tmp_path):
    sample(clip, tmp_path / "out")
    (tmp_path / "out" / "annotations").mkdir()
    with pytest.raises(UsageError, match="annotations is something else"):
        sample(clip, tmp_path / "out", overwrite=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 2, "seconds": 1.0}, "--every and --seconds"),
        ({"every": 0}, "--every 0"),
        ({"pick": 0}, "--pick 0"),
        ({"seconds": 0.0}, "--seconds 0.0: expected above 0"),
        ({"seconds": float("nan")}, "--seconds nan"),
    ],
)
def test_options_that_make_no_sense_are_refused(clip, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        sample(clip, tmp_path / "out", **options)
