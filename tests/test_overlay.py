"""Masks as pictures."""

from __future__ import annotations

import numpy as np

from wristseg.classes import DEFAULT_CLASSES, IGNORE_INDEX
from wristseg.overlay import Blender, blend, colorize


def test_each_id_gets_its_colour_and_ignored_pixels_grey():
    mask = np.array([[0, 3, IGNORE_INDEX]], np.uint8)
    expected = [[(0, 0, 0), DEFAULT_CLASSES.colors_rgb[3], (128, 128, 128)]]
    assert np.array_equal(colorize(mask, DEFAULT_CLASSES), expected)


def test_blend_keeps_unlabelled_pixels_and_follows_alpha():
    frame = np.full((1, 2, 3), 100, np.uint8)
    mask = np.array([[0, 3]], np.uint8)
    assert np.array_equal(blend(frame, mask, DEFAULT_CLASSES, alpha=0.0), frame)
    mixed = blend(frame, mask, DEFAULT_CLASSES, alpha=0.5)
    assert tuple(mixed[0, 0]) == (100, 100, 100)
    np.testing.assert_allclose(mixed[0, 1], (np.array([230, 159, 0]) + 100) / 2, atol=1)


def test_blender_gives_the_same_picture_for_frames_of_any_size_one_after_the_other():
    rng = np.random.default_rng(0)
    blender = Blender(DEFAULT_CLASSES, alpha=0.3)
    for height, width in ((5, 7), (5, 7), (8, 4), (5, 7)):
        frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = rng.integers(0, 6, (height, width), dtype=np.uint8)
        mixed = blender.blend(frame, mask)
        np.testing.assert_array_equal(mixed, blend(frame, mask, DEFAULT_CLASSES, alpha=0.3))
        exact = 0.7 * frame + 0.3 * np.array(DEFAULT_CLASSES.colors_rgb)[mask]
        exact[mask == 0] = frame[mask == 0]
        np.testing.assert_allclose(mixed, exact, atol=0.51)
