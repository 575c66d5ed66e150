"""Errors made on perfect masks: as many, as large and as long as the model says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts import few
from tests.policy.test_mask_errors import CUBE, TABLE, errors, scene
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.policy.corrupt import MaskCorruptor
from wristseg.policy.mask_errors import FalseRegion
from wristseg.policy.mask_noise import MaskNoise

NONE = MaskNoise.none(DEFAULT_CLASSES.names, (60, 80))


def made(noise, count, *, seed=0, episodes=True):
    corruptor = MaskCorruptor(noise, seed=seed)
    masks = []
    for _ in range(count):
        if episodes:
            corruptor.reset()
        masks.append(corruptor(scene()))
    return np.stack(masks)


def with_shares(zone_shares, **changes):
    shares = np.zeros((1, 2, 6, 6))
    for (zone, true_id, wrong_id), share in zone_shares.items():
        shares[0, zone, true_id, wrong_id] = share
    return dataclasses.replace(NONE, shares=shares, **changes)


def test_no_noise_changes_nothing():
    assert (made(NONE, 3) == scene()).all()


def test_same_seed_gives_the_same_errors_and_another_gives_others():
    noise = with_shares({(1, TABLE, 1): 0.2}, blob_px=np.array([3.0]))
    np.testing.assert_array_equal(made(noise, 3, seed=4), made(noise, 3, seed=4))
    assert (made(noise, 3, seed=4) != made(noise, 3, seed=5)).any()


def test_as_many_pixels_are_confused_as_were_counted():
    noise = with_shares({(1, TABLE, 5): 0.2}, blob_px=np.array([3.0]))
    for mask in made(noise, 5):
        assert errors(mask).shares[1, TABLE, 5] == pytest.approx(0.2, abs=0.01)


def test_confused_pixels_lie_together_over_the_length_that_was_measured():
    for length in (2.0, 5.0):
        noise = with_shares({(1, TABLE, 5): 0.3}, blob_px=np.array([length]))
        found = [errors(mask).blob_px for mask in made(noise, 20)]
        assert np.median(found) == pytest.approx(length, rel=0.35)


def test_outlines_waver_by_what_the_model_says():
    noise = dataclasses.replace(NONE, sigma_px=np.full(6, 1.2), jitter_px=2.0)
    moved = np.concatenate([errors(mask).moved_px[CUBE] for mask in made(noise, 40)])
    # Two outlines that meet move each other by half the difference of their fields.
    assert moved.std() == pytest.approx(1.2 / np.sqrt(2), rel=0.25)
    assert not np.nansum([errors(mask).shares for mask in made(noise, 5)])


def test_object_is_missed_as_often_as_in_reality():
    missing = {"missed_kept": (0.1,), "missed_as": np.eye(6)[TABLE], "object_id": CUBE}
    noise = dataclasses.replace(NONE, missed=(0.3,), **missing)
    found = [errors(mask) for mask in made(noise, 300)]
    assert np.mean([error.missed for error in found]) == pytest.approx(0.3, abs=0.08)
    assert all(error.kept == pytest.approx(0.1) for error in found if error.missed)


def test_small_objects_may_be_missed_more_often_than_large_ones():
    missing = {"missed_kept": (0.0,), "missed_as": np.eye(6)[TABLE], "object_id": CUBE}
    noise = dataclasses.replace(NONE, missed=(1.0, 0.0), missed_sizes=(99.5,), **missing)
    assert not any(errors(mask).missed for mask in made(noise, 20))  # it has 100 pixels
    noise = dataclasses.replace(noise, missed_sizes=(100.5,))
    assert np.mean([errors(mask).missed for mask in made(noise, 50)]) > 0.9


def test_misses_last_as_long_as_in_reality():
    missing = {"missed_kept": (0.0,), "missed_as": np.eye(6)[TABLE], "object_id": CUBE}
    noise = dataclasses.replace(NONE, missed=(0.3,), missed_frames=5.0, **missing)
    missed = np.array([errors(mask).missed for mask in made(noise, 1500, episodes=False)])
    begins = np.count_nonzero(missed[1:] & ~missed[:-1])
    assert missed.mean() == pytest.approx(0.3, abs=0.08)
    assert missed.sum() / begins == pytest.approx(5.0, rel=0.3)


def test_false_objects_have_the_size_and_the_place_of_real_ones():
    noise = dataclasses.replace(
        NONE, object_id=CUBE, false=0.5, false_regions=(FalseRegion(50, TABLE),)
    )
    found = [region for mask in made(noise, 200) for region in errors(mask).false_regions]
    assert len(found) / 200 == pytest.approx(0.5, abs=0.12)
    assert np.median([region.pixels for region in found]) == pytest.approx(50, abs=6)
    assert {region.under for region in found} <= {TABLE, 1}


def test_errors_of_a_pixel_last_longer_when_they_flicker_less():
    from wristseg.evaluate.noise_lengths import excursions

    means = []
    for frames in (2.0, 6.0):
        noise = with_shares({(1, TABLE, 5): 0.3}, blob_px=np.array([3.0]), flicker_frames=frames)
        counts = excursions(made(noise, 120, episodes=False))
        means.append(counts @ np.arange(1, 11) / counts.sum())
    assert means[1] > 1.25 * means[0]


@few
@given(seed=st.integers(0, 2**32 - 1), ids=st.integers(0, 5), sigma=st.floats(0, 3))
def test_any_mask_stays_a_mask_of_the_class_table(seed, ids, sigma):
    noise = with_shares(
        {(0, 2, 1): 0.5, (1, 1, 3): 0.9, (1, 2, 0): 0.1},
        sigma_px=np.full(6, sigma),
        object_id=CUBE,
        false=1.2,
        false_regions=(FalseRegion(40, TABLE),),
    )
    mask = np.random.default_rng(seed).integers(0, ids + 1, (60, 80), np.uint8)
    before = mask.copy()
    corrupted = MaskCorruptor(noise, seed=seed)(mask)
    assert (corrupted.shape, corrupted.dtype) == (mask.shape, np.uint8)
    assert corrupted.max() < 6
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((84, 84), np.uint8), r"the noise was fitted at \(60, 80\)"),
        (np.zeros((60, 80), np.int64), "int64"),
        (np.full((60, 80), 6, np.uint8), "has the id 6"),
    ],
)
def test_mask_of_another_kind_is_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        MaskCorruptor(NONE)(mask)


def test_file_gives_back_what_was_written(tmp_path):
    noise = with_shares({(1, 2, 1): 0.25}, origin={"model": "best.ckpt"}, flicker_frames=2.5)
    noise.save(tmp_path / "noise.json")
    read = MaskNoise.load(tmp_path / "noise.json")
    assert read.to_dict() == noise.to_dict()
    np.testing.assert_array_equal(made(read, 2), made(noise, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is no file of wristseg mask-noise"),
        ({"more": 1}, "entries missing or unknown: more"),
        ({"sigma_px": [0.0]}, r"sigma_px has the shape \(1,\), expected \(6,\)"),
        ({"sigma_px": [-1.0] * 6}, "sigma_px has numbers that are negative"),
        ({"missed": [0.5]}, "missed_kept or missed_as is empty"),
        ({"missed": [2.0]}, "missed is"),
        ({"missed_sizes": [3.0]}, "expected one fewer than missed"),
        ({"false": 0.5}, "false_regions is empty"),
        ({"flicker_frames": 0.0}, "expected 1 frame or more"),
        ({"object_id": 6}, "object_id is 6"),
        ({"shares": "many"}, "malformed"),
    ],
)
def test_file_that_makes_no_sense_is_refused(tmp_path, change, message):
    import json

    path = tmp_path / "noise.json"
    path.write_text(json.dumps({**NONE.to_dict(), **change}))
    with pytest.raises(DataError, match=message):
        MaskNoise.load(path)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file; wristseg mask-noise writes one"):
        MaskNoise.load(tmp_path / "noise.json")
    (tmp_path / "noise.json").write_text("{")
    with pytest.raises(DataError, match=r"noise.json: cannot be read as JSON"):
        MaskNoise.load(tmp_path / "noise.json")
