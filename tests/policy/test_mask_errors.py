"""Errors of a mask taken apart: each kind is found where it was made, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.policy.mask_errors import FalseRegion, class_distances, frame_errors

TABLE, CUBE = 2, 3


def scene():
    """Background above, a table, a 10x10 cube on it: (60, 80) uint8."""
    ids = np.ones((60, 80), np.uint8)
    ids[15:] = TABLE
    ids[40:50, 30:40] = CUBE
    return ids


def errors(seen, truth=None):
    truth = scene() if truth is None else truth
    return frame_errors(truth, seen, num_classes=6, object_id=CUBE)


def test_perfect_mask_has_no_errors():
    found = errors(scene())
    assert np.nansum(found.shares) == 0.0
    assert all((moved == 0.0).all() for moved in found.moved_px)
    assert (found.kept, found.missed, found.false_regions) == (1.0, False, ())


@pytest.mark.parametrize("grown", [-1, 1, 2])
def test_outline_that_moved_is_measured_in_pixels(grown):
    seen = np.where(scene() == CUBE, TABLE, scene()).astype(np.uint8)
    seen[40 - grown : 50 + grown, 30 - grown : 40 + grown] = CUBE
    found = errors(seen)
    # Corners lie farther along the diagonal than the sides do.
    assert np.median(found.moved_px[CUBE]) == grown
    assert np.nansum(found.shares) == 0.0


def test_confused_region_is_a_share_of_its_class_and_no_moved_outline():
    seen = scene()
    seen[25:35, 60:70] = 1
    found = errors(seen)
    table = (scene() == TABLE).sum()
    pixels = found.shares[:, TABLE, 1]
    inside = 100 / table
    assert 0.9 * inside < pixels[1] < 1.2 * inside
    assert pixels[0] == 0.0
    assert (found.moved_px[1] == 0.0).all()


def test_missed_object_counts_once_and_says_what_it_was_taken_for():
    seen = scene()
    seen[40:48, 30:40] = 5
    found = errors(seen)
    assert found.missed
    assert found.kept == pytest.approx(0.2)
    assert found.taken_for.tolist() == [0, 0, 0, 0, 0, 80]
    assert not np.nansum(found.shares[:, CUBE])


def test_false_object_counts_once_with_its_size_and_place():
    seen = scene()
    seen[25:30, 10:16] = CUBE
    found = errors(seen)
    assert found.false_regions == (FalseRegion(30, TABLE),)
    assert np.nansum(found.shares) == 0.0
    assert len(found.moved_px[CUBE]) == 36  # the true cube's own outline


def test_ignored_pixels_count_nowhere():
    truth, seen = scene(), scene()
    truth[20:35, 55:75] = 255
    seen[22:33, 58:72] = 1
    found = errors(seen, truth)
    assert np.nansum(found.shares) == 0.0


def test_distance_to_a_class_that_is_not_there_is_infinite():
    distances = class_distances(scene(), 6)
    assert np.isinf(distances[5]).all()
    assert distances[CUBE, 45, 45] == pytest.approx(6.0, abs=0.1)
