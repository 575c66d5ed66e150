"""Frames that differ are chosen before frames that look the same."""

from __future__ import annotations

import numpy as np

from tests.predict.clips import frame_picture
from wristseg.labeling.diversity import NEAR_DUPLICATE, distances, farthest_first, thumbnail


def test_noise_of_a_sensor_is_no_change_and_a_cube_that_moves_is():
    rng = np.random.default_rng(0)
    frame = np.full((480, 640, 3), 120, np.uint8)
    noisy = np.clip(frame + rng.normal(0, 8, frame.shape), 0, 255).astype(np.uint8)
    left, right = frame.copy(), frame.copy()
    left[200:300, 100:200] = right[200:300, 400:500] = (220, 40, 40)
    features = np.stack([thumbnail(picture) for picture in (frame, noisy, left, right)])
    apart = distances(features, features[0])
    assert apart[1] < NEAR_DUPLICATE < apart[2]
    assert distances(features, features[2])[3] > NEAR_DUPLICATE


def test_each_choice_is_the_farthest_from_those_before_it():
    features = np.random.default_rng(1).random((50, 8)).astype(np.float32)
    chosen = farthest_first(features, 10, least=0.0)
    assert len(set(chosen)) == 10
    for count in range(1, 10):
        nearest = np.min([distances(features, features[i]) for i in chosen[:count]], axis=0)
        assert nearest[chosen[count]] == nearest.max()


def test_equal_frames_are_chosen_once():
    same = np.stack([thumbnail(frame_picture(0))] * 5)
    assert farthest_first(same, 5) == [0]


def test_nothing_to_choose_from_gives_nothing():
    assert farthest_first(np.empty((0, 4), np.float32), 3) == []
    assert farthest_first(np.ones((3, 4), np.float32), 0) == []
