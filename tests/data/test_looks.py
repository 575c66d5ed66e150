"""New looks: classes change apart from each other, by chance alone, and labels stay true."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.classes import IGNORE_INDEX
from wristseg.data.looks import Looks

TABLE, CUBE = 2, 3


@pytest.fixture
def frame():
    """A grey cube on a grey table; a margin that nobody labelled."""
    mask = np.full((60, 80), TABLE, np.uint8)
    mask[20:40, 30:50] = CUBE
    mask[:, :5] = IGNORE_INDEX
    return np.full((60, 80, 3), 120, np.uint8), mask


def changed(frame, looks, seed):
    return looks.change(*frame, rng=np.random.default_rng(seed))


def test_without_chances_a_frame_stays_as_it_is(frame):
    assert np.array_equal(changed(frame, Looks(0.0, 0.0), 1), frame[0])


def test_the_frame_and_its_mask_are_not_written_into(frame):
    before = [part.copy() for part in frame]
    changed(frame, Looks(1.0, 1.0), 1)
    for part, old in zip(frame, before, strict=True):
        assert np.array_equal(part, old)


@pytest.mark.parametrize("looks", [Looks(1.0, 0.0), Looks(0.0, 1.0), Looks(1.0, 1.0)])
def test_one_seed_draws_one_look_and_others_draw_others(frame, looks):
    first, again, other = (changed(frame, looks, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_recoloured_class_keeps_one_colour_which_is_its_own(frame):
    _, mask = frame
    apart = 0
    for seed in range(20):
        image = changed(frame, Looks(1.0, 0.0), seed)
        table, cube = image[mask == TABLE], image[mask == CUBE]
        assert (table == table[0]).all()
        assert (cube == cube[0]).all()
        apart += np.abs(table[0].astype(int) - cube[0]).max() > 20
    assert apart >= 15


def test_a_pattern_shows_on_its_class_and_ends_with_it(frame):
    image, mask = frame
    shown = 0
    for seed in range(20):
        patterned = changed(frame, Looks(0.0, 0.5), seed)
        flat = [len(np.unique(patterned[mask == c].reshape(-1, 3), axis=0)) for c in (TABLE, CUBE)]
        shown += (flat[0] == 1) != (flat[1] == 1)
        assert np.array_equal(patterned[mask == IGNORE_INDEX], image[mask == IGNORE_INDEX])
    assert shown >= 5


def test_shadows_stay_where_a_pattern_covers_them(frame):
    image, mask = frame
    image = image.copy()
    image[45:, :] //= 3
    ratios = []
    for seed in range(40):
        patterned = changed((image, mask), Looks(0.0, 1.0), seed).astype(float)
        ratios.append(patterned[45:, 10:].mean() / patterned[:20, 10:].mean())
    assert np.median(ratios) < 0.55
