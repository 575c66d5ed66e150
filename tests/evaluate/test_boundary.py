"""Boundary F counts contour pixels that lie near each other."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.evaluate.boundary import boundary_f, contour_counts


def square(top, left, *, size_hw=(40, 60), side=15):
    mask = np.zeros(size_hw, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def plain_counts(prediction, label, class_id):
    """The same by comparing every pair of contour pixels."""

    def contour(mask):
        padded = np.pad(mask, 1, mode="edge")
        middle = padded[1:-1, 1:-1] == class_id
        others = [
            padded[1 + dy : mask.shape[0] + 1 + dy, 1 + dx : mask.shape[1] + 1 + dx] != class_id
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
        ]
        return np.argwhere(middle & np.any(others, axis=0))

    own, other = contour(prediction), contour(label)
    distances = np.linalg.norm(own[:, None] - other, axis=2)
    return [
        len(own),
        (distances.min(axis=1, initial=np.inf) <= 2).sum(),
        len(other),
        (distances.min(axis=0, initial=np.inf) <= 2).sum(),
    ]


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (2, 1.0)])
def test_outline_within_two_pixels_is_right(shift, expected):
    counts = contour_counts(square(10, 10 + shift), square(10, 10), 2)
    assert boundary_f(counts)[1] == expected


def test_outline_far_away_is_wrong():
    assert boundary_f(contour_counts(square(2, 2), square(22, 40), 2))[1] == 0.0


def test_counts_equal_those_of_comparing_every_pair():
    rng = np.random.default_rng(3)
    masks = [np.kron(rng.integers(0, 3, (6, 8)), np.ones((4, 4))).astype(np.uint8) for _ in "ab"]
    counts = contour_counts(*masks, 3)
    for class_id in range(3):
        assert counts[class_id].tolist() == plain_counts(*masks, class_id)


def test_edge_of_the_frame_is_no_outline():
    everywhere = np.ones((20, 30), np.uint8)
    assert contour_counts(everywhere, everywhere, 2)[1].tolist() == [0, 0, 0, 0]


def test_ignored_pixels_make_no_outline():
    label = np.ones((20, 30), np.uint8)
    label[5:10, 5:10] = 255
    prediction = np.ones((20, 30), np.uint8)
    prediction[6:8, 6:8] = 0
    assert contour_counts(prediction, label, 2).sum() == 0


def test_class_without_outline_on_either_side_has_no_figure():
    f = boundary_f(contour_counts(square(5, 5), square(5, 5), 3))
    assert np.isnan(f[2])
    assert f[0] == f[1] == 1.0
