"""From frame to network input and back, for training and prediction alike."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wristseg.preprocess import IMAGENET_MEAN, IMAGENET_STD, PreprocessContract, bgr_to_rgb


@pytest.fixture
def frame():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def test_frame_of_the_right_size_is_untouched(frame):
    assert np.array_equal(PreprocessContract((48, 64)).resize_frame(frame), frame)


def test_resize_averages_as_pillow_does(frame):
    expected = Image.fromarray(frame).resize((8, 6), Image.Resampling.BILINEAR)
    assert np.array_equal(PreprocessContract((6, 8)).resize_frame(frame), np.asarray(expected))


def test_mask_resize_makes_no_new_ids():
    mask = np.zeros((48, 64), np.uint8)
    mask[:, 32:] = 5
    assert set(np.unique(PreprocessContract((7, 9)).resize_mask(mask))) == {0, 5}


def test_normalisation_divides_by_255_once():
    white = np.full((1, 1, 3), 255, np.uint8)
    expected = (1 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    normalized = PreprocessContract((1, 1)).normalize(white)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized[0, 0], expected, rtol=1e-6)


def test_centre_square_is_cut_and_restored(frame):
    contract = PreprocessContract((48, 48), crop="center-square")
    assert np.array_equal(contract.resize_frame(frame), frame[:, 8:56])
    mask = np.full((48, 48), 3, np.uint8)
    restored = contract.restore_mask(mask, (48, 64))
    assert restored.shape == (48, 64)
    assert (restored[:, 8:56] == 3).all()
    assert not restored[:, :8].any()
    assert not restored[:, 56:].any()


def test_small_mask_comes_back_by_nearest_neighbour():
    mask = np.array([[1, 2], [3, 4]], np.uint8)
    restored = PreprocessContract((2, 2)).restore_mask(mask, (4, 6))
    assert np.array_equal(restored, np.kron(mask, np.ones((2, 3), np.uint8)))


def test_contract_survives_its_dictionary():
    contract = PreprocessContract((84, 84), crop="center-square")
    assert PreprocessContract.from_dict(contract.to_dict()) == contract


def test_foreign_contract_is_refused():
    foreign = {**PreprocessContract((84, 84)).to_dict(), "color_order": "bgr"}
    with pytest.raises(ValueError, match="not one this version follows"):
        PreprocessContract.from_dict(foreign)


def test_bgr_becomes_rgb(frame):
    assert np.array_equal(bgr_to_rgb(frame), frame[..., ::-1])


@pytest.mark.parametrize("shape", [(3,), (5, 3), (7, 9, 3), (2, 7, 9, 3)])
def test_standardising_is_the_arithmetic_to_the_last_bit(shape):
    frame = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    scaled = frame.astype(np.float32) / np.float32(255)
    expected = (scaled - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
    found = PreprocessContract((84, 84)).normalize(frame)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
