"""Ids as grey levels: every id of every class table comes back, wherever it stands."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.lerobot.datasets import decoded_ids
from wristseg.errors import UsageError
from wristseg.lerobot.mask_camera import grey_of_ids, grey_step, ids_of_grey, open_mask_camera

_BASE = Fraction(1, 15360)


def write(path, masks, step):
    options = {"step": step, "fps": Fraction(30), "time_base": _BASE, "comment": ""}
    with open_mask_camera(path, masks[0].shape, **options) as writer:
        for i, mask in enumerate(masks):
            writer.write(mask, 512 * i)


@pytest.mark.parametrize("classes", [2, 6, 7, 8, 20, 64])
def test_noise_of_all_ids_is_exact_after_decoding(tmp_path, classes):
    step = grey_step(classes)
    rng = np.random.default_rng(classes)
    masks = [rng.integers(0, classes, (48, 64), dtype=np.uint8) for _ in range(5)]
    write(tmp_path / "masks.mp4", masks, step)
    assert np.array_equal(decoded_ids(tmp_path / "masks.mp4", step), masks)


@pytest.mark.parametrize("classes", range(2, 65))
def test_levels_of_the_live_camera_come_back_even_one_level_off(classes):
    step = grey_step(classes)
    ids = np.arange(classes, dtype=np.uint8)[None]
    grey = grey_of_ids(ids, step).astype(int)
    for off in (-1, 0, 1):
        assert np.array_equal(
            ids_of_grey(np.clip(grey + off, 0, 255).astype(np.uint8), step)[..., 0], ids
        )


def test_more_classes_than_levels_can_keep_apart_are_refused():
    with pytest.raises(UsageError, match="65 classes: a mask camera keeps at most 64 apart"):
        grey_step(65)
