"""What is usual: the other frames of the recording, and those that look alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.labeling.qa_scenes import probabilities, true_masks
from wristseg.labeling.qa_measure import measure
from wristseg.labeling.qa_others import AllFrames, Usual


def frames(count, recordings=None):
    """Frames in a row, each looking most like its neighbours."""
    masks = true_masks(count)
    measured = [measure(mask, probabilities(mask)) for mask in masks]
    looks = np.linspace(0, 1, count, dtype=np.float32)[:, None]
    return AllFrames(measured, recordings or ["a"] * count, looks)


def test_the_frame_itself_is_left_out_and_the_most_alike_come_first():
    around = frames(8).around(3)
    numbers = np.arange(8, dtype=np.float64)
    assert sorted(around.values(numbers)[:2].tolist()) == [2, 4]
    assert 3 not in around.values(numbers)
    assert len(around.values(numbers)) == 7


def test_frames_of_the_recording_are_asked_where_there_are_enough():
    numbers = np.arange(10, dtype=np.float64)
    around = frames(10, ["a"] * 6 + ["b"] * 4)
    assert sorted(around.around(0).values(numbers).tolist()) == [1, 2, 3, 4, 5]
    assert len(around.around(9).values(numbers)) == 9


def test_frames_without_a_number_are_not_asked():
    numbers = np.full(8, np.nan)
    numbers[[1, 6]] = 1.0
    around = frames(8).around(1)
    assert around.values(numbers).tolist() == [1.0]
    assert around.usual(np.full(8, np.nan)) is None
    assert around.how_often(np.full(8, np.nan), 0.5) == 0.0


def test_what_two_of_five_alike_frames_have_is_usual_there():
    faults = np.zeros(30)
    faults[[9, 11]] = 0.9
    assert frames(30).around(10).usual(faults).value == pytest.approx(0.9)
    assert frames(30).around(25).usual(faults).value == 0.0


def test_one_bad_neighbour_changes_nothing():
    faults = np.zeros(30)
    faults[9] = 0.9
    usual = frames(30).around(10).usual(faults)
    assert usual.value == 0.0
    assert usual.surprise(0.5) > 0.95


def test_surprise_is_a_half_at_four_deviations():
    assert Usual(0.1, 0.05).surprise(0.3) == pytest.approx(0.5)
    assert Usual(0.1, 0.05).surprise(0.1) < 0.01
    assert Usual(0.1, 0.05).surprise(1.0) > 0.99


def test_regions_are_as_often_as_in_the_recording_or_among_the_alike():
    numbers = np.zeros(30)
    numbers[[8, 9, 11]] = 10.0
    assert frames(30).around(10).how_often(numbers, 5.0) == pytest.approx(0.6)
    assert frames(30).around(28).how_often(numbers, 5.0) == pytest.approx(3 / 29)
