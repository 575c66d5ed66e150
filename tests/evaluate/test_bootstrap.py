"""Intervals come from drawing recordings anew, or frames where there is one recording."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.evaluate.bootstrap import interval, resample


def test_frames_of_a_recording_are_drawn_together():
    drawn = resample(["a", "b", "a", "c", "b", "a"])
    assert (drawn.drawn, drawn.units) == ("recordings", 3)
    weights = drawn.weights
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_one_recording_is_resampled_by_frame_and_says_so():
    drawn = resample(["a"] * 5)
    assert (drawn.drawn, drawn.units) == ("frames", 5)
    assert (drawn.weights.sum(axis=1) == 5).all()
    assert "say nothing about others" in drawn.said()


def test_few_recordings_are_said_to_be_few():
    assert "too narrow" in resample(["a", "b"]).said()
    assert "too narrow" not in resample(list("abcdef")).said()


def test_same_seed_draws_the_same():
    first, again, other = (resample(list("aabbcc"), seed=seed).weights for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_interval_of_a_mean_covers_it_as_often_as_promised():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        sample = rng.normal(size=40)
        weights = resample([str(i) for i in range(40)], seed=trial, resamples=400).weights
        low, high = interval(weights @ sample / 40)
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_figure_that_most_resamples_do_not_define_has_no_interval():
    assert interval(np.array([0.5, np.nan, np.nan, 0.5])) is None
    assert interval(np.full(20, 0.25)) == pytest.approx((0.25, 0.25))
