"""What light and camera change: within the stated ranges, by chance alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wristseg.data.appearance import LIGHT, ROBUST, Appearance
from wristseg.data.augment import augment

NOTHING = Appearance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def changed(image, appearance, seeds=200):
    return [appearance.change(image, rng=np.random.default_rng(seed)) for seed in range(seeds)]


def plain(level=(100, 100, 100), size_hw=(84, 84)):
    return np.full((*size_hw, 3), level, np.uint8)


def test_ranges_of_nothing_change_nothing():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert np.array_equal(NOTHING.change(image, rng=np.random.default_rng(1)), image)


def test_exposure_is_a_factor_within_its_range():
    levels = np.array([im[0, 0, 0] for im in changed(plain(), replace(NOTHING, exposure=0.4))])
    assert 66 <= levels.min() <= 70
    assert 144 <= levels.max() <= 150


def test_white_balance_moves_channels_apart_and_saturation_keeps_grey():
    spreads = [
        np.ptp(im[0, 0].astype(int)) for im in changed(plain(), replace(NOTHING, balance=0.1))
    ]
    assert np.mean(spreads) > 5
    greys = changed(plain(), replace(NOTHING, saturation=0.5, hue_deg=30.0))
    assert max(np.abs(im.astype(int) - 100).max() for im in greys) <= 1


def test_a_small_turn_of_hue_keeps_red_red():
    for image in changed(plain((200, 30, 30)), replace(NOTHING, hue_deg=8.0)):
        red, green, blue = image[0, 0].astype(int)
        assert red > green + 100
        assert red > blue + 100


def test_noise_has_its_deviation_and_no_bias():
    loud = replace(NOTHING, noise_chance=1.0, noise=10.0)
    errors = (
        np.stack(changed(plain((128, 128, 128), (480, 640)), loud, seeds=20)).astype(float) - 128
    )
    assert abs(errors.mean()) < 0.1
    deviations = errors.std(axis=(1, 2, 3))
    assert deviations.min() > 0.5
    assert 7 < deviations.max() < 11


def test_a_smear_spreads_a_dot_along_a_line_and_keeps_its_light():
    dot = np.zeros((480, 480, 3), np.uint8)
    dot[240:243, 240:243] = 250
    smeared = replace(NOTHING, motion_chance=1.0, motion_px=14.0)
    for image in changed(dot, smeared, seeds=20):
        rows, columns = np.nonzero(image[..., 0])
        assert max(np.ptp(rows), np.ptp(columns)) <= 19
        assert image.sum(dtype=int) == pytest.approx(dot.sum(dtype=int), rel=0.1)


def test_jpeg_is_left_out_where_its_blocks_would_be_too_large():
    packed = replace(NOTHING, jpeg_chance=1.0, jpeg_quality=(30, 30))
    image = np.random.default_rng(0).integers(0, 256, (84, 84, 3), dtype=np.uint8)
    assert np.array_equal(packed.change(image, rng=np.random.default_rng(0)), image)
    large = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert not np.array_equal(packed.change(large, rng=np.random.default_rng(0)), large)


@pytest.mark.parametrize("recipe", ["light", "robust"])
def test_recipes_for_fixed_mounts_never_mirror(recipe):
    """A code that grows to the right and downwards keeps doing so."""
    y, x = np.mgrid[:84, :84].astype(np.uint8)
    image = np.dstack([x, y, x])
    for seed in range(100):
        _, mask_x = augment(image, x, recipe=recipe, rng=np.random.default_rng(seed))
        _, mask_y = augment(image, y, recipe=recipe, rng=np.random.default_rng(seed))
        middle_row, middle_column = mask_x[42, 12:72].astype(int), mask_y[12:72, 42].astype(int)
        assert (np.diff(middle_row) >= 0).all()
        assert (np.diff(middle_column) >= 0).all()


@pytest.mark.parametrize("appearance", [LIGHT, ROBUST], ids=["light", "robust"])
def test_the_same_state_of_chance_gives_the_same_frame(appearance):
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    one, again, other = (
        appearance.change(image, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
