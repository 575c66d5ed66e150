"""Clips need no labels: pixels that go to and fro, and a centroid that trembles."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from wristseg.errors import DataError, UsageError
from wristseg.evaluate.clips import find_clips, measure_clip, steadiness

from .test_frames import scripted_segmenter

HW = (40, 50)  # on frames of this size one pixel is an object


def cube_at(x, y=10, *, size_hw=HW):
    mask = np.full(size_hw, 2, np.uint8)
    mask[y : y + 5, x : x + 5] = 3
    return mask


def steady(masks):
    return steadiness(Path("clip.mp4"), masks, object_id=3)


def write_clip(path, count):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = HW[1], HW[0], "yuv420p"
        for _ in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((*HW, 3), 90, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_even_motion_neither_flickers_nor_trembles():
    result = steady([cube_at(x) for x in range(10, 20, 2)])
    assert (result.flicker, result.jitter_n) == (0.0, 3)
    assert result.jitter_px == pytest.approx((0.0, 0.0))


def test_pixels_that_go_and_come_back_flicker():
    masks = [cube_at(10) for _ in range(4)]
    masks[1] = masks[1].copy()
    masks[1][0, :7] = 4
    result = steady(masks)
    assert result.flicker == 7 / (2 * HW[0] * HW[1])


def test_trembling_is_the_second_difference_of_the_centroid():
    result = steady([cube_at(x) for x in (10, 13, 10, 13)])
    assert result.jitter_px == pytest.approx((6.0, 6.0))


def test_missing_frame_is_a_dropout_and_a_lone_one_a_flash():
    empty = np.full(HW, 2, np.uint8)
    result = steady([cube_at(5), empty, cube_at(5), empty, empty, cube_at(5), empty])
    assert (result.object_frames, result.dropouts, result.flashes) == (3, 1, 2)


def test_short_clips_have_no_figures():
    result = steady([cube_at(5), cube_at(5)])
    assert math.isnan(result.flicker)
    assert json.dumps(result.record(), allow_nan=False)


def test_a_clip_is_segmented_frame_by_frame(tmp_path):
    path = write_clip(tmp_path / "wave.mp4", 6)
    segmenter = scripted_segmenter(itertools.cycle([cube_at(10), cube_at(20)]), HW)
    result = measure_clip(segmenter, path, object_id=3)
    assert (result.frames, result.object_frames, result.problems) == (6, 6, ())
    assert result.jitter_px == pytest.approx((20.0, 20.0))


def test_folders_are_searched_for_videos(tmp_path):
    clips = [write_clip(tmp_path / name, 1) for name in ("a.mp4", "b.mp4")]
    (tmp_path / "notes.txt").write_text("")
    assert find_clips([tmp_path, clips[1]]) == clips
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"--clip .*: no image or video"):
        find_clips([tmp_path / "empty"])
    with pytest.raises(DataError, match="no such file"):
        find_clips([tmp_path / "gone.mp4"])
