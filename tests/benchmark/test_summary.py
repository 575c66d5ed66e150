"""Medians, tails and missed deadlines, against examples small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.benchmark.summary import miss_shares, summarize


def test_percentiles_of_a_hundred_and_one_values_are_the_values_at_their_places():
    values = list(np.random.default_rng(0).permutation(101).astype(float))
    summary = summarize(values)
    assert (summary.lowest, summary.q1, summary.median, summary.q3) == (0.0, 25.0, 50.0, 75.0)
    assert (summary.p95, summary.p99, summary.highest) == (95.0, 99.0, 100.0)
    assert summary.count == 101


def test_percentiles_between_two_values_are_interpolated():
    summary = summarize([10.0, 20.0])
    assert (summary.q1, summary.median, summary.q3) == (12.5, 15.0, 17.5)
    assert summary.p99 == pytest.approx(19.9)


def test_one_value_is_its_own_summary():
    summary = summarize([7.0])
    assert {summary.lowest, summary.median, summary.p99, summary.highest} == {7.0}


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="no values"):
        summarize([])


def test_a_frame_is_late_if_it_takes_longer_than_its_period():
    # Periods: 100 ms at 10 Hz, 50 ms at 20 Hz, 33.3 ms at 30 Hz.
    seconds = [0.010, 0.034, 0.050, 0.051, 0.101]
    assert miss_shares(seconds) == {10: 1 / 5, 20: 2 / 5, 30: 4 / 5}
    assert miss_shares([0.033]) == {10: 0.0, 20: 0.0, 30: 0.0}
