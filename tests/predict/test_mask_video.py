"""Mask videos give back every id of every pixel."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from tests.predict.clips import make_clip
from wristseg.errors import DataError
from wristseg.predict import read_mask_video
from wristseg.predict.mask_video import open_mask_video


def write(path, masks):
    with open_mask_video(
        path, masks[0].shape, fps=Fraction(30), time_base=Fraction(1, 15360), comment="test"
    ) as video:
        for i, mask in enumerate(masks):
            video.write(mask, 512 * i, image_format="gray")
    return path


@pytest.mark.parametrize("highest", [1, 5, 7, 253])
@pytest.mark.parametrize("size_hw", [(48, 64), (47, 63), (1, 1), (84, 84)])
def test_ids_survive_for_any_number_of_classes_and_any_size(tmp_path, highest, size_hw):
    rng = np.random.default_rng(highest)
    masks = [rng.integers(0, highest + 1, size_hw, dtype=np.uint8) for _ in range(7)]
    read = list(read_mask_video(write(tmp_path / "m.mkv", masks)))
    assert len(read) == 7
    for mask, again in zip(masks, read, strict=True):
        np.testing.assert_array_equal(mask, again)


def test_opencv_reads_the_same_ids(tmp_path):
    masks = [np.arange(254, dtype=np.uint8)[None].repeat(16, axis=0)] * 2
    capture = cv2.VideoCapture(str(write(tmp_path / "m.mkv", masks)))
    read, picture = capture.read()
    capture.release()
    assert read
    np.testing.assert_array_equal(picture[..., 0], masks[0])


def test_other_videos_are_not_taken_for_masks(tmp_path):
    overlay = make_clip(tmp_path / "a.mkv", frames=2)
    with pytest.raises(DataError, match="is no mask video"):
        next(read_mask_video(overlay))
    with pytest.raises(DataError, match="cannot be read"):
        next(read_mask_video(tmp_path / "none.mkv"))


def test_equal_masks_give_equal_bytes(tmp_path):
    masks = np.random.default_rng(0).integers(0, 6, (4, 48, 64), np.uint8)
    made = []
    for name in ("a.mkv", "b.mkv"):
        with open_mask_video(
            tmp_path / name, (48, 64), fps=Fraction(30), time_base=Fraction(1, 30), comment="x"
        ) as video:
            for pts, mask in enumerate(masks):
                video.write(mask, pts, image_format="gray")
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
