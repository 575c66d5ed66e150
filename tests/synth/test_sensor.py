"""The sensor blurs, lights and grains a picture, the same way for the same seed."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from wristseg.synth.look import SensorLook
from wristseg.synth.sensor import bend, encode_jpeg, expose

_QUIET = SensorLook(vignette=0.0, blur_px=0.0, noise=0.0)


def _rng():
    return np.random.default_rng(5)


def _grey(value=100):
    return np.full((48, 64, 3), value, np.uint8)


def test_quiet_sensor_leaves_a_grey_picture_alone():
    assert np.array_equal(expose(_grey(), _QUIET, rng=_rng()), _grey())


def test_exposure_brightens_and_white_balance_tints():
    bright = expose(_grey(), replace(_QUIET, exposure=1.5), rng=_rng())
    assert np.all(bright == 150)
    warm = expose(_grey(), replace(_QUIET, white_balance=(1.2, 1.0, 0.8)), rng=_rng())
    assert warm[0, 0].tolist() == [120, 100, 80]


def test_automatic_exposure_strives_for_its_brightness_within_limits():
    lit = expose(_grey(40), replace(_QUIET, auto_exposure=0.4), rng=_rng())
    assert lit.mean() == pytest.approx(0.4 * 255, abs=2)
    night = expose(_grey(4), replace(_QUIET, auto_exposure=0.4), rng=_rng())
    assert night.mean() == pytest.approx(16, abs=1)


def test_noise_has_about_its_strength_and_follows_the_seed():
    look = replace(_QUIET, noise=6.0)
    one, again = expose(_grey(), look, rng=_rng()), expose(_grey(), look, rng=_rng())
    assert np.array_equal(one, again)
    assert 2.0 < one.astype(float).std() < 9.0


def test_motion_smears_along_its_direction_only():
    line = np.zeros((48, 64, 3), np.uint8)
    line[24, 32] = 255
    look = replace(_QUIET, motion_px=80.0, motion_angle=0.0)  # of 480 rows: 8 px here
    smeared = expose(line, look, rng=_rng())[..., 0]
    assert set(np.nonzero(smeared)[0]) == {24}
    assert np.count_nonzero(smeared) > 5


def test_vignette_darkens_corners_not_the_middle():
    photo = expose(_grey(), replace(_QUIET, vignette=0.5), rng=_rng())
    assert photo[0, 0, 0] < 60
    assert photo[24, 32, 0] >= 99


def test_barrel_keeps_corners_and_ids():
    ids = np.arange(48 * 64).reshape(48, 64) % 6
    bent = bend(ids.astype(np.uint8), 0.3, smooth=False)
    assert set(np.unique(bent)) <= set(range(6))
    assert bent[0, 0] == ids[0, 0]
    assert bent[24, 32] == ids[24, 32]
    assert not np.array_equal(bent, ids)


def test_no_barrel_returns_the_picture_itself():
    picture = _grey()
    assert bend(picture, 0.0, smooth=True) is picture


def test_jpeg_decodes_to_the_size_it_had():
    with Image.open(io.BytesIO(encode_jpeg(_grey(), 93))) as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 48), "RGB")


def test_sharpening_leaves_rims_at_an_edge_and_flat_parts_alone():
    edge = np.full((480, 64, 3), 100, np.uint8)
    edge[:, 32:] = 160
    sharp = expose(edge, replace(_QUIET, sharpen=1.0), rng=_rng())[240, :, 0]
    assert sharp[30:32].min() < 95
    assert sharp[32:34].max() > 165
    assert sharp[5] == 100
