"""Shadows take light away, leave labels alone, and are drawn by chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.data.augment import augment
from wristseg.data.shadows import Shadows

TABLE, CUBE, FINGER = 2, 3, 5
SIZES = [(84, 84), (480, 640), (91, 133)]


def frame(size_hw, level=200):
    """A bright table with a cube and a finger on it."""
    mask = np.full(size_hw, TABLE, np.uint8)
    height, width = size_hw
    mask[height // 3 : height // 2, width // 3 : width // 2] = CUBE
    mask[height // 2 :, : width // 3] = FINGER
    return np.full((*size_hw, 3), level, np.uint8), mask


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SIZES), st.integers(0, 10**6), st.integers(0, 255))
def test_a_shadow_darkens_and_never_brightens_and_leaves_the_labels(size_hw, seed, level):
    image, mask = frame(size_hw, level)
    before = image.copy(), mask.copy()
    cast = Shadows.on(DEFAULT_CLASSES, 1.0).cast(image, mask, rng=np.random.default_rng(seed))
    assert cast.shape == image.shape
    assert cast.dtype == np.uint8
    assert (cast <= image).all()
    assert (cast >= 0.14 * image.astype(float) - 1).all()  # 0.8 of the light, and its tint
    assert np.array_equal(image, before[0])
    assert np.array_equal(mask, before[1])


@pytest.mark.parametrize("size_hw", SIZES)
def test_shadows_fall_on_table_and_cube_and_cover_a_part_of_the_frame(size_hw):
    image, mask = frame(size_hw)
    shadows = Shadows.on(DEFAULT_CLASSES, 1.0)
    dark = np.stack(
        [shadows.cast(image, mask, rng=np.random.default_rng(i))[..., 0] < 160 for i in range(100)]
    )
    assert dark[:, mask == TABLE].any(axis=1).mean() > 0.9
    assert dark[:, mask == CUBE].any(axis=1).mean() > 0.2
    assert 0.05 < dark.mean() < 0.4


def test_about_half_of_the_shadows_leave_out_what_is_in_front():
    image, mask = np.full((84, 84, 3), 200, np.uint8), np.full((84, 84), FINGER, np.uint8)
    shadows = Shadows.on(DEFAULT_CLASSES, 1.0)
    touched = [
        (shadows.cast(image, mask, rng=np.random.default_rng(i)) < 190).any() for i in range(200)
    ]
    assert 0.35 < np.mean(touched) < 0.6


def test_without_a_table_among_the_classes_nothing_is_spared():
    names = ("unlabeled", "floor", "ball")
    order = names[1:]
    classes = ClassTable(names, ((0, 0, 0),) * 3, {"default": order, "grasp": order})
    assert Shadows.on(classes, 0.5).spared_ids == ()
    assert Shadows.on(DEFAULT_CLASSES, 0.5).spared_ids == (1, 4, 5)


def test_the_chance_is_the_share_of_the_frames():
    image, mask = frame((84, 84))
    shadows = Shadows.on(DEFAULT_CLASSES, 0.3)
    same = [
        shadows.cast(image, mask, rng=np.random.default_rng(seed)) is image for seed in range(400)
    ]
    assert 0.63 < np.mean(same) < 0.77


def test_edges_are_soft():
    """Between dark and light lie levels of both sides, more of them than one pixel of an edge."""
    image, mask = np.full((480, 640, 3), 255, np.uint8), np.full((480, 640), TABLE, np.uint8)
    shadows = Shadows.on(DEFAULT_CLASSES, 1.0)
    casts = [shadows.cast(image, mask, rng=np.random.default_rng(i))[..., 1] for i in range(30)]
    steps = [np.abs(np.diff(cast.astype(int), axis=1)).max() for cast in casts if cast.min() < 170]
    assert len(steps) > 20
    assert np.median(steps) < 40


@pytest.mark.parametrize("recipe", ["none", "flips", "full", "light", "robust"])
def test_switching_shadows_on_changes_nothing_else_that_is_drawn(recipe):
    image, mask = frame((120, 160))
    image[..., 1] = np.arange(160)
    never = Shadows.on(DEFAULT_CLASSES, 0.0)
    for seed in range(20):
        plain = augment(image, mask, recipe=recipe, rng=np.random.default_rng(seed))
        with_lever = augment(
            image, mask, recipe=recipe, rng=np.random.default_rng(seed), shadows=never
        )
        assert np.array_equal(plain[0], with_lever[0])
        assert np.array_equal(plain[1], with_lever[1])


def test_the_same_state_of_chance_casts_the_same_shadow():
    image, mask = frame((480, 640))
    shadows = Shadows.on(DEFAULT_CLASSES, 1.0)
    one, again, other = (
        shadows.cast(image, mask, rng=np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
