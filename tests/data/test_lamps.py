"""Uneven light: every kind of lamp lights a part of the frame, its edge now sharp, now soft."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.data.lamps import draw_lamp

SIZE_HW = (120, 160)


@pytest.fixture(scope="module")
def lamps():
    rng = np.random.default_rng(0)
    return [draw_lamp(rng, SIZE_HW) for _ in range(200)]


def test_each_reaches_from_dark_to_bright(lamps):
    assert all(lamp.shape == SIZE_HW and lamp.dtype == np.uint8 for lamp in lamps)
    assert all(lamp.min() == 0 and lamp.max() == 255 for lamp in lamps)


def test_what_is_lit_is_a_part_of_the_frame_small_or_large(lamps):
    lit = np.array([lamp.mean() / 255 for lamp in lamps])
    assert lit.min() < 0.25
    assert lit.max() > 0.75
    assert ((lit > 0.1) & (lit < 0.9)).mean() > 0.8


def test_edges_are_sharp_and_soft(lamps):
    steepest = np.array([np.abs(np.diff(lamp.astype(int), axis=1)).max() for lamp in lamps])
    assert (steepest > 100).mean() > 0.05
    assert (steepest < 20).mean() > 0.3


def test_same_seed_draws_the_same(lamps):
    rng = np.random.default_rng(0)
    assert np.array_equal(draw_lamp(rng, SIZE_HW), lamps[0])
    assert not np.array_equal(lamps[0], lamps[1])
