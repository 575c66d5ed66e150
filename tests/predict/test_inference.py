"""The class that existing robot code imports."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.predict.clips import frame_picture
from wristseg.classes import DEFAULT_CLASSES
from wristseg.predict import SegmentationInference


@pytest.fixture(scope="module")
def inference(checkpoint):
    return SegmentationInference(str(checkpoint), torch.device("cpu"))


def test_old_class_gives_the_masks_of_the_new_one(inference, segmenter):
    frame = frame_picture(4)
    mask = inference.predict(frame)
    assert (mask.shape, mask.dtype) == ((48, 64), np.uint8)
    np.testing.assert_array_equal(mask, segmenter.predict(frame))


def test_picture_of_a_mask_is_bgr_and_keeps_unlabelled_pixels(inference):
    frame = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    mask = np.zeros((4, 4), np.uint8)
    mask[0] = DEFAULT_CLASSES.id_of("cube")
    picture = inference.visualize(frame, mask, 1.0)
    red, green, blue = DEFAULT_CLASSES.colors_rgb[3]
    assert tuple(picture[0, 0]) == (blue, green, red)
    assert tuple(picture[1, 0]) == (10, 20, 30)
    halved = inference.visualize(frame, mask)
    expected = ((blue + 10) / 2, (green + 20) / 2, (red + 30) / 2)
    np.testing.assert_allclose(halved[0, 0], expected, atol=1)
