"""The temporal filter: what flickers stays, what moves is followed, specks are filled."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.live import FilterSettings, TemporalFilter
from wristseg.live.filter import fill_specks

_TABLE, _CUBE = 2, 3


def still_frame():
    return np.full((64, 64, 3), 120, np.uint8)


def mask_with_cube(left=20, *, size=20):
    mask = np.full((64, 64), _TABLE, np.uint8)
    mask[20 : 20 + size, left : left + size] = _CUBE
    return mask


def frame_with_cube(left):
    frame = still_frame()
    frame[20:40, left : left + 20] = 220
    return frame


def test_class_that_comes_for_one_frame_over_a_still_picture_is_not_shown():
    steady, wrong = mask_with_cube(), mask_with_cube(size=8)
    filtered = TemporalFilter()
    shown = [filtered.apply(still_frame(), mask) for mask in (steady, wrong, steady, wrong, steady)]
    for mask in shown:
        np.testing.assert_array_equal(mask, steady)


def test_class_that_stays_is_shown_one_frame_later():
    before, after = mask_with_cube(), mask_with_cube(left=30)
    filtered = TemporalFilter()
    shown = [filtered.apply(still_frame(), mask) for mask in (before, after, after)]
    np.testing.assert_array_equal(shown[1][:, 40:], before[:, 40:])
    np.testing.assert_array_equal(shown[2], after)
    assert TemporalFilter.delay_frames == 1


def test_cube_that_is_seen_to_move_is_followed_without_delay():
    filtered = TemporalFilter()
    for left in range(10, 30, 4):
        mask = mask_with_cube(left)
        shown = filtered.apply(frame_with_cube(left), mask)
        columns = np.nonzero((shown == _CUBE).any(axis=0))[0]
        expected = np.nonzero((mask == _CUBE).any(axis=0))[0]
        assert abs(columns.mean() - expected.mean()) <= 0.5


def test_without_motion_every_change_has_to_be_seen_twice():
    filtered = TemporalFilter(FilterSettings(moved=None))
    filtered.apply(frame_with_cube(10), mask_with_cube(10))
    shown = filtered.apply(frame_with_cube(30), mask_with_cube(30))
    np.testing.assert_array_equal(shown == _CUBE, mask_with_cube(10) == _CUBE)


def test_masks_given_and_returned_stay_as_they_are():
    filtered = TemporalFilter()
    given = [mask_with_cube(left) for left in (10, 20, 30)]
    before = [mask.copy() for mask in given]
    shown = [filtered.apply(still_frame(), mask) for mask in given]
    kept = [mask.copy() for mask in shown]
    shown[-1][:] = 0
    filtered.apply(still_frame(), mask_with_cube())
    for mask, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(mask, copy)
    np.testing.assert_array_equal(shown[0], kept[0])
    np.testing.assert_array_equal(shown[1], kept[1])


def test_masks_of_another_size_begin_anew():
    filtered = TemporalFilter()
    filtered.apply(still_frame(), mask_with_cube())
    small = mask_with_cube()[:32, :32]
    np.testing.assert_array_equal(filtered.apply(still_frame()[:32, :32], small), small)


@pytest.mark.parametrize("seed", range(5))
def test_no_pixel_of_a_still_picture_goes_to_and_fro_within_three_frames(seed):
    random = np.random.default_rng(seed)
    filtered = TemporalFilter()
    shown = [
        filtered.apply(still_frame(), random.integers(0, 6, (64, 64), np.uint8)) for _ in range(30)
    ]
    for before, between, after in zip(shown, shown[1:], shown[2:], strict=False):
        assert not ((before == after) & (before != between)).any()


def test_specks_take_the_class_that_most_of_their_border_has():
    mask = mask_with_cube()
    mask[2:4, 2:4] = _CUBE  # on the table
    mask[30, 30] = _TABLE  # in the cube
    np.testing.assert_array_equal(fill_specks(mask, least_pixels=5), mask_with_cube())
    np.testing.assert_array_equal(fill_specks(mask, least_pixels=1), mask)


def test_mask_of_one_class_has_no_border_to_fill_from():
    mask = np.full((8, 8), _TABLE, np.uint8)
    np.testing.assert_array_equal(fill_specks(mask, least_pixels=1000), mask)
