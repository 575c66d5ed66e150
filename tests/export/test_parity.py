"""Comparing masks: every pixel that the network sees, and none that it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wristseg.export.frames import ComparedFrame
from wristseg.export.parity import compare
from wristseg.preprocess import PreprocessContract


@pytest.fixture
def frame(tmp_path):
    path = Path(tmp_path / "frame.png")
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(path)
    return ComparedFrame("frame", path, (10, 20), None)


def mask_with(wrong):
    mask = np.zeros((10, 20), np.uint8)
    mask[wrong] = 3
    return mask


@pytest.mark.parametrize(
    ("crop", "wrong", "agreement"),
    [
        ("none", np.s_[:, :5], 0.75),
        ("center-square", np.s_[:, 5:10], 0.5),
        ("center-square", np.s_[:, :5], 1.0),  # cut off
    ],
)
def test_agreement_is_the_share_of_what_the_network_sees(frame, crop, wrong, agreement):
    parity = compare(
        lambda _: mask_with(np.s_[:0]),
        lambda _: mask_with(wrong),
        [frame],
        camera_hw=None,
        contract=PreprocessContract((10, 10), crop),
        num_classes=6,
    )
    assert parity.agreement == pytest.approx(agreement)
    assert parity.worst.frame is frame
    assert parity.val_iou() is None
