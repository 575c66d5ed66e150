"""Videos are read upright and whole, or it is said what is missing."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.predict.clips import (
    cut,
    frame_picture,
    make_clip,
    punch_hole,
    rotate_clip,
    with_moov_first,
)
from wristseg.errors import DataError
from wristseg.predict.video import VideoReader, VideoWriter


def read(path):
    with VideoReader(path) as reader:
        frames = list(reader)
    return frames, reader


def times_s(frames):
    return [float(frame.pts * frame.time_base) for frame in frames]


def test_whole_video_gives_every_frame_and_no_problem(tmp_path):
    frames, reader = read(make_clip(tmp_path / "a.mp4"))
    assert reader.problems == []
    assert reader.declared_frames == reader.decoded == len(frames) == 20
    assert reader.fps == 30
    np.testing.assert_allclose(times_s(frames), np.arange(20) / 30, atol=1e-3)
    assert np.abs(frames[7].rgb.astype(int) - frame_picture(7)).mean() < 6


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mkv", "ffv1", "gray"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
    ],
)
def test_other_formats_are_read_as_8_bit_rgb(tmp_path, name, codec, pix_fmt):
    path = make_clip(tmp_path / name, codec=codec, pix_fmt=pix_fmt, frames=8)
    frames, reader = read(path)
    assert (len(frames), reader.problems) == (8, [])
    expected = frame_picture(3).astype(float)
    if pix_fmt == "gray":
        expected = np.repeat(expected @ [[0.299], [0.587], [0.114]], 3, axis=-1)
    assert frames[3].rgb.dtype == np.uint8
    assert np.abs(frames[3].rgb - expected).mean() < 8


def test_frames_with_uneven_times_keep_them(tmp_path):
    times_ms = [0, 33, 66, 150, 180, 400]
    path = make_clip(tmp_path / "a.mp4", frames=6, times_ms=times_ms)
    frames, reader = read(path)
    np.testing.assert_allclose(times_s(frames), np.array(times_ms) / 1000, atol=1e-3)
    assert reader.problems == []


def test_phone_video_is_turned_upright(tmp_path):
    path = rotate_clip(make_clip(tmp_path / "a.mp4", frames=2))
    (frame, *_), _ = read(path)
    assert frame.rgb.shape == (64, 48, 3)
    # A quarter turn clockwise brings the red upper left corner to the upper right.
    turned = np.rot90(frame_picture(0), -1).astype(int)
    assert np.abs(frame.rgb - turned).mean() < 6


def zero(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    return path


def text(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("This is not a video.\n" * 50)
    return path


def playlist(tmp_path):
    make_clip(tmp_path / "real.mp4", frames=2)
    path = tmp_path / "a.mp4"
    path.write_text("ffconcat version 1.0\nfile real.mp4\n")
    return path


def no_frames(tmp_path):
    return make_clip(tmp_path / "a.mp4", frames=0)


def cut_index(tmp_path):
    return cut(make_clip(tmp_path / "a.mp4"), 0.95)


def missing(tmp_path):
    return tmp_path / "a.mp4"


def sound_only(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return tmp_path / "a.mp4"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (zero, "is empty"),
        (text, "is no video that can be opened"),
        (playlist, "is no video that can be opened"),
        (cut_index, "is no video that can be opened"),
        (missing, "no such file"),
        (sound_only, "holds no video stream"),
        (no_frames, "holds no video stream"),
    ],
)
def test_f10_file_that_is_no_video_is_refused(tmp_path, make, message):
    with pytest.raises(DataError, match=rf"a\.mp4: {message}"):
        read(make(tmp_path))


def test_f10_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(DataError, match="is no regular file"):
        VideoReader(tmp_path / "a.mp4")


def test_f10_video_of_nothing_but_damage_gives_no_frame(tmp_path):
    path = with_moov_first(make_clip(tmp_path / "a.mp4"))
    content = path.read_bytes()
    start = content.index(b"mdat") + 4
    path.write_bytes(content[:start] + bytes(len(content) - start))
    frames, reader = read(path)
    assert frames == []
    assert reader.problems[0].startswith("declares 20 frames, 0 were decoded")


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_f10_cut_video_says_declared_and_decoded(tmp_path, share):
    path = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), share)
    frames, reader = read(path)
    assert 0 < len(frames) < 40
    assert reader.problems == [f"declares 40 frames, {len(frames)} were decoded (1 damaged)"]


def test_f10_cut_video_without_a_frame_count_is_noticed_by_its_duration(tmp_path):
    path = cut(make_clip(tmp_path / "a.mkv", frames=90), 0.5)
    frames, reader = read(path)
    (problem,) = reader.problems
    assert 0 < len(frames) < 80
    assert problem.startswith(f"declares about 90 frames, {len(frames)} were decoded")


def test_f10_hole_costs_frames_and_is_reported(tmp_path):
    path = punch_hole(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)))
    frames, reader = read(path)
    assert 0 < len(frames) < 40
    assert f"declares 40 frames, {len(frames)} were decoded" in reader.problems[0]
    assert "damaged" in reader.problems[0]


def test_f10_wrong_frame_rate_is_reported_and_the_times_kept(tmp_path):
    times_ms = [100 * i for i in range(20)]
    path = make_clip(tmp_path / "a.mkv", fps=60, times_ms=times_ms)
    frames, reader = read(path)
    (problem,) = reader.problems
    assert problem.startswith("declares 60 frames per second, the times of its 20 decoded frames")
    np.testing.assert_allclose(times_s(frames), np.array(times_ms) / 1000, atol=1e-3)


def test_f10_change_of_size_ends_the_video_there(tmp_path):
    first = make_clip(tmp_path / "1.ts", frames=10)
    second = make_clip(tmp_path / "2.ts", frames=10, size_hw=(64, 96))
    path = tmp_path / "a.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    frames, reader = read(path)
    assert len(frames) == 10
    assert "from frame 10 on it is 64x96 instead of 48x64 (h x w)" in reader.problems[0]


def test_times_that_run_backwards_are_mended(tmp_path):
    clips = [make_clip(tmp_path / f"{i}.ts", frames=5) for i in range(2)]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(clip.read_bytes() for clip in clips))
    frames, _ = read(path)
    assert len(frames) == 10
    assert (np.diff(times_s(frames)) > 0).all()


def test_written_video_keeps_times_size_and_comment(tmp_path):
    path = tmp_path / "ü a.mp4"
    pts = [0, 3, 4, 10, 11]
    with VideoWriter(
        path,
        (48, 64),
        codec="libx264",
        pixel_format="yuv420p",
        fps=Fraction(30),
        time_base=Fraction(1, 30),
        options={},
        comment="from here",
    ) as writer:
        for i, time in enumerate(pts):
            writer.write(frame_picture(i), time, image_format="rgb24")
    frames, reader = read(path)
    assert reader.problems == []
    np.testing.assert_allclose(times_s(frames), np.array(pts) / 30, atol=1e-3)
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "from here"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
