"""How well a mask fits a label."""

from __future__ import annotations

import numpy as np

from wristseg.data.agreement import Agreement, agreement


def test_agreement_counts_labelled_pixels_alone():
    label = np.array([[0, 255, 1, 1], [2, 2, 2, 2]], np.uint8)
    assert agreement(label, label, num_classes=3) == Agreement(1.0, 1)
    mask = np.array([[1, 1, 1, 0], [2, 2, 2, 2]], np.uint8)
    assert agreement(label, mask, num_classes=3) == Agreement(0.75, 1)
    assert agreement(np.zeros((2, 2), np.uint8), label[:, :2], num_classes=3) == (
        Agreement(1.0, None)
    )
