"""Augmentation moves image and mask together, and draws what the request lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import times
from wristseg.data import augment as augmentation
from wristseg.data.augment import Geometry, apply_geometry, augment, recipe_for

_EXAMPLES = times(300, 3_000)
EXAMPLES = settings(max_examples=_EXAMPLES, deadline=None)


def coded_frame(height: int, width: int):
    """Red is x, green is y, the mask's value is x: each pixel says where it comes from."""
    y, x = np.mgrid[:height, :width].astype(np.uint8)
    return np.dstack([x, y, np.full_like(x, 200)]), x.copy()


@st.composite
def frames_and_crops(draw):
    height, width = draw(st.integers(8, 100)), draw(st.integers(8, 100))
    crop_height, crop_width = draw(st.integers(4, height)), draw(st.integers(4, width))
    top = draw(st.integers(0, height - crop_height))
    left = draw(st.integers(0, width - crop_width))
    return (height, width), (top, left, crop_height, crop_width)


@pytest.mark.tried(_EXAMPLES)
@EXAMPLES
@given(frames_and_crops(), st.booleans(), st.booleans())
def test_p5_flips_and_crops_move_image_and_mask_exactly(frame, horizontal, vertical):
    size_hw, (top, left, height, width) = frame
    image, mask = coded_frame(*size_hw)
    geometry = Geometry((top, left, height, width), horizontal, vertical)
    got_image, got_mask = apply_geometry(image, mask, geometry, size_hw=(height, width))
    rows, columns = np.arange(top, top + height), np.arange(left, left + width)
    rows = rows[::-1] if vertical else rows
    columns = columns[::-1] if horizontal else columns
    expected_y, expected_x = np.meshgrid(rows, columns, indexing="ij")
    assert np.array_equal(got_image[..., 0], expected_x)
    assert np.array_equal(got_image[..., 1], expected_y)
    assert np.array_equal(got_mask, expected_x)


@pytest.mark.tried(_EXAMPLES)
@EXAMPLES
@given(frames_and_crops(), st.booleans(), st.booleans(), st.floats(-15, 15))
def test_p5_a_warp_keeps_image_and_mask_within_a_pixel(frame, horizontal, vertical, angle):
    size_hw, crop = frame
    image, _ = coded_frame(*size_hw)
    for axis in (0, 1):
        got_image, got_mask = apply_geometry(
            image, image[..., axis].copy(), Geometry(crop, horizontal, vertical, angle)
        )
        assert got_mask.shape == size_hw
        # At the frame's own edge the image fades to black over one pixel, which shifts its code.
        inside = (got_mask != 255) & (got_image[..., 2] >= 199)
        difference = got_image[..., axis].astype(int) - got_mask
        assert np.abs(difference[inside]).max(initial=0) <= 1


@pytest.mark.parametrize("horizontal", [False, True])
@pytest.mark.parametrize("vertical", [False, True])
def test_the_warp_flips_like_the_exact_flip(horizontal, vertical):
    """An angle too small to move a pixel takes the other way through the code."""
    image, mask = coded_frame(30, 40)
    exact = apply_geometry(image, mask, Geometry((0, 0, 30, 40), horizontal, vertical))
    warped = apply_geometry(image, mask, Geometry((0, 0, 30, 40), horizontal, vertical, 1e-9))
    assert np.array_equal(exact[0], warped[0])
    assert np.array_equal(exact[1], warped[1])


def test_a_positive_angle_turns_counter_clockwise():
    mask = np.zeros((41, 41), np.uint8)
    mask[20, 21:] = 1  # a ray to the right
    _, turned = apply_geometry(
        np.zeros((41, 41, 3), np.uint8), mask, Geometry((0, 0, 41, 41), angle_deg=45.0)
    )
    y, x = np.nonzero(turned == 1)
    assert x.mean() > 24
    assert y.mean() < 16


def test_what_a_rotation_brings_in_is_black_and_ignored():
    image, mask = np.full((40, 60, 3), 90, np.uint8), np.full((40, 60), 2, np.uint8)
    turned, turned_mask = apply_geometry(image, mask, Geometry((0, 0, 40, 60), angle_deg=15.0))
    assert turned_mask[0, 0] == 255
    assert not turned[0, 0].any()
    assert set(np.unique(turned_mask)) == {2, 255}


def test_flips_recipe_gives_the_four_flips_equally_often():
    image, _ = coded_frame(6, 8)
    # The mask's x alone cannot tell top from bottom.
    green = image[..., 1] * 16 + image[..., 0]
    kinds = {
        flipped.tobytes(): name
        for name, flipped in {
            "none": green,
            "h": green[:, ::-1],
            "v": green[::-1],
            "hv": green[::-1, ::-1],
        }.items()
    }
    seen = [
        kinds[augment(image, green, recipe="flips", rng=np.random.default_rng(i))[1].tobytes()]
        for i in range(400)
    ]
    assert all(60 < seen.count(name) < 140 for name in ("none", "h", "v", "hv"))


def test_full_recipe_keeps_size_and_type_and_the_classes():
    image, mask = coded_frame(48, 64)
    for seed in range(50):
        got, got_mask = augment(image, mask % 6, recipe="full", rng=np.random.default_rng(seed))
        assert got.shape == (48, 64, 3)
        assert got.dtype == got_mask.dtype == np.uint8
        assert set(np.unique(got_mask)) <= {0, 1, 2, 3, 4, 5, 255}


def test_about_half_of_the_frames_are_turned_and_show_ignored_corners_unless_cropped_away():
    image, mask = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), np.uint8)
    ignored = [
        (augment(image, mask, recipe="full", rng=np.random.default_rng(i))[1] == 255).any()
        for i in range(300)
    ]
    assert 0.3 < np.mean(ignored) < 0.55


def drawn_geometries(monkeypatch, count):
    """The geometries that the full recipe draws, on a frame that is left as it is."""
    drawn = []

    def keep(image, mask, geometry):
        drawn.append(geometry)
        return image, mask

    monkeypatch.setattr(augmentation, "apply_geometry", keep)
    image, mask = np.zeros((480, 640, 3), np.uint8), np.zeros((480, 640), np.uint8)
    for seed in range(count):
        augment(image, mask, recipe="full", rng=np.random.default_rng(seed))
    return drawn


def test_crops_and_angles_are_drawn_from_the_ranges_of_the_request(monkeypatch):
    drawn = drawn_geometries(monkeypatch, 400)
    crops = [geometry.crop_tlhw for geometry in drawn if geometry.crop_tlhw != (0, 0, 480, 640)]
    angles = np.abs([geometry.angle_deg for geometry in drawn if geometry.angle_deg != 0.0])
    assert 0.6 < len(crops) / len(drawn) < 0.8
    assert 0.4 < len(angles) / len(drawn) < 0.6
    assert 14 < angles.max() <= 15
    top, left, height, width = np.array(crops).T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 480).all()
    assert (left + width <= 640).all()
    shares, ratios = height * width / (480 * 640), (width / 640) / (height / 480)
    # Whole pixels shift the drawn numbers a little.
    assert 0.695 < shares.min() < 0.72
    assert 0.93 < shares.max() <= 1.0
    assert 0.895 < ratios.min() < 0.92
    assert 1.08 < ratios.max() < 1.105


def test_three_frames_in_ten_are_blurred(monkeypatch):
    monkeypatch.setattr(augmentation, "apply_geometry", lambda image, mask, geometry: (image, mask))
    dot, mask = np.zeros((15, 15, 3), np.uint8), np.zeros((15, 15), np.uint8)
    dot[7, 7] = 200
    lit = [
        np.count_nonzero(
            augment(dot, mask, recipe="full", rng=np.random.default_rng(seed))[0].max(axis=2) > 8
        )
        for seed in range(600)
    ]
    # A narrow blur moves no more than a few grey levels, hence the bound below three tenths.
    assert 0.2 < np.mean(np.array(lit) > 1) < 0.35


def test_colours_change_by_no_more_than_the_request_allows():
    grey, mask = np.full((32, 32, 3), 100, np.uint8), np.zeros((32, 32), np.uint8)
    values = np.array(
        [
            augment(grey, mask, recipe="full", rng=np.random.default_rng(i))[0][16, 16]
            for i in range(200)
        ]
    )
    assert values.min() >= 69
    assert values.max() <= 131
    assert values.std() > 10
    # Grey has neither saturation nor hue: its channels move together.
    assert np.ptp(values.astype(int), axis=1).max() <= 2  # rounded in RGB and in HSV


def test_saturation_and_contrast_change_by_no_more_than_the_request_allows(monkeypatch):
    monkeypatch.setattr(augmentation, "_JITTER_HUE", 0.0)
    muted, mask = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)
    muted[:] = (140, 120, 100)
    spreads = []
    for seed in range(300):
        pixel = augment(muted, mask, recipe="full", rng=np.random.default_rng(seed))[0][8, 8]
        spreads.append(float(np.ptp(pixel.astype(int))) / pixel.mean() / (40 / 120))
    # Brightness scales spread and grey alike, the two others the spread: 0.7**2 to 1.3**2 at most.
    assert 0.46 < min(spreads) < 0.6
    assert 1.5 < max(spreads) < 1.72


def test_hue_moves_by_at_most_a_tenth_of_the_circle():
    red, mask = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)
    red[:] = (200, 20, 20)
    for seed in range(100):
        r, g, b = augment(red, mask, recipe="full", rng=np.random.default_rng(seed))[0][8, 8]
        assert r > g
        assert r > b  # a third of the circle away from red lies green


def test_the_same_state_of_chance_gives_the_same_frame():
    image, mask = coded_frame(48, 64)
    first = augment(image, mask, recipe="full", rng=np.random.default_rng([1, 2, 3]))
    again = augment(image, mask, recipe="full", rng=np.random.default_rng([1, 2, 3]))
    other = augment(image, mask, recipe="full", rng=np.random.default_rng([1, 3, 3]))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_auto_is_full_at_640x480_and_flips_at_84x84():
    assert recipe_for("auto", (480, 640)) == "full"
    assert recipe_for("auto", (84, 84)) == "flips"
    assert recipe_for("none", (480, 640)) == "none"


def test_none_changes_nothing():
    image, mask = coded_frame(10, 12)
    got, got_mask = augment(image, mask, recipe="none", rng=np.random.default_rng(0))
    assert got is image
    assert got_mask is mask
