"""Fitting a model's errors: what was made is found again, and the command leaves its files."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from tests.datasets import make_coco_dataset
from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.policy.test_mask_errors import CUBE, TABLE
from wristseg.classes import DEFAULT_CLASSES
from wristseg.cli.mask_noise import main
from wristseg.evaluate.noise_compare import made_pairs, summarise
from wristseg.evaluate.noise_fit import fill_gaps, fit_noise
from wristseg.evaluate.noise_lengths import Lengths, excursions, measure_lengths, runs_of
from wristseg.policy.corrupt import MaskCorruptor
from wristseg.policy.mask_errors import FalseRegion
from wristseg.policy.mask_noise import MaskNoise


def scenes(count):
    """Background, table, a finger and a cube at varying places: (count, 84, 84)."""
    rng = np.random.default_rng(0)
    found = np.full((count, 84, 84), TABLE, np.uint8)
    for ids in found:
        ids[: rng.integers(15, 30)] = 1
        ids[60:, 10:22] = 5
        row, column = rng.integers(36, 66), rng.integers(30, 65)
        ids[row : row + 14, column : column + 14] = CUBE
    return found


@pytest.fixture(scope="module")
def known():
    """Errors of known kinds on 60 scenes, and the fit of them."""
    shares = np.zeros((1, 2, 6, 6))
    shares[0, :, TABLE, 1] = 0.15
    noise = dataclasses.replace(
        MaskNoise.none(DEFAULT_CLASSES.names, (84, 84)),
        object_id=CUBE,
        sigma_px=np.full(6, 1.0),
        jitter_px=3.0,
        shares=shares,
        blob_px=np.array([4.0]),
        missed=(0.2,),
        missed_kept=(0.2,),
        missed_as=np.eye(6)[TABLE],
        false=0.3,
        false_regions=(FalseRegion(40, TABLE),),
    )
    corruptor, pairs = MaskCorruptor(noise, seed=1), []
    for truth in scenes(60):
        corruptor.reset()
        pairs.append((truth, corruptor(truth)))
    fitted = fit_noise(
        pairs,
        class_names=DEFAULT_CLASSES.names,
        object_id=CUBE,
        lengths=Lengths(),
        seed=0,
        origin={},
    )
    return pairs, fitted


def test_known_errors_are_fitted(known):
    _, fitted = known
    assert fitted.shares[:, 1, TABLE, 1].mean() == pytest.approx(0.15, abs=0.03)
    assert np.median(fitted.blob_px) == pytest.approx(4.0, rel=0.4)
    assert np.mean(fitted.missed) == pytest.approx(0.2, abs=0.12)
    assert fitted.false == pytest.approx(0.3, abs=0.2)
    assert fitted.missed_as.argmax() == TABLE


def test_masks_made_from_a_fit_err_like_the_ones_it_was_fitted_on(known):
    pairs, fitted = known
    made = made_pairs(fitted, pairs, seed=9)
    real, again = (summarise(found, num_classes=6, object_id=CUBE) for found in (pairs, made))
    there = np.isfinite(real.iou)
    np.testing.assert_allclose(again.iou[there], real.iou[there], atol=0.06)
    np.testing.assert_allclose(again.outline_sigma_px, real.outline_sigma_px, atol=0.25)
    assert again.missed == pytest.approx(real.missed, abs=0.15)
    assert again.false == pytest.approx(real.false, abs=0.25)


def test_perfect_model_is_fitted_by_no_noise():
    pairs = [(ids, ids) for ids in scenes(10)]
    fitted = fit_noise(
        pairs,
        class_names=DEFAULT_CLASSES.names,
        object_id=CUBE,
        lengths=Lengths(),
        seed=0,
        origin={},
    )
    corruptor = MaskCorruptor(fitted, seed=0)
    for truth, _ in pairs:
        np.testing.assert_array_equal(corruptor(truth), truth)


def test_gaps_between_outlines_are_no_errors_and_wide_ones_do_not_count():
    label = np.full((20, 20), 2, np.uint8)
    label[:, 5] = 0
    label[:, 12:] = 0
    filled = fill_gaps(label, 6)
    assert (filled[:, 5] == 2).all()
    assert (filled[:, 16:] == 255).all()


def test_lengths_of_errors_are_counted_along_time():
    masks = np.full((12, 1, 2), TABLE, np.uint8)
    masks[3:6, 0, 0] = CUBE
    masks[8, 0, 0] = CUBE
    counts = excursions(masks)
    # Between the two the table was back for two frames, which is a stay of its own.
    assert counts.tolist()[:4] == [1, 1, 1, 0]
    assert Lengths(counts).flicker_frames == 2.0
    assert runs_of([False, True, False, False, True], value=True) == [1]


def test_gaps_and_flashes_of_the_object_are_apart():
    clip = np.full((30, 20, 20), TABLE, np.uint8)
    clip[5:25, :5, :5] = CUBE
    clip[10:13, :5, :5] = TABLE
    clip[28, :5, :5] = CUBE
    lengths = measure_lengths([clip], object_id=CUBE)
    assert lengths.misses == (3, 3)
    assert lengths.flashes == (5, 1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_coco_dataset(tmp_path_factory.mktemp("data") / "set", frames=8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_plain_checkpoint(tmp_path_factory.mktemp("run") / "best.ckpt", randomised_network())


def test_command_leaves_noise_plot_and_masks(capsys, tmp_path, dataset, checkpoint):
    output = tmp_path / "noise.json"
    options = ["--dataset-path", str(dataset), "--output", str(output)]
    assert main([str(checkpoint), *options]) == 0
    printed = capsys.readouterr().out
    assert "missed, of those there" in printed
    assert "was not measured (no --clip)" in printed
    noise = MaskNoise.load(output)
    assert noise.size_hw == (84, 84)
    assert noise.origin["kept_apart"]["real"]["frames"] == 4
    assert json.loads(output.read_text())["origin"]["contract"]["size_hw"] == [84, 84]
    for name in ("noise.png", "noise_masks.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 200


def test_too_few_frames_are_refused_and_nothing_is_written(capsys, tmp_path, checkpoint):
    few = make_coco_dataset(tmp_path / "few", frames=4)
    output = tmp_path / "noise.json"
    options = ["--dataset-path", str(few), "--output", str(output)]
    assert main([str(checkpoint), *options]) == 3
    assert "4 frames, expected at least 8" in capsys.readouterr().err
    assert not output.exists()


def test_options_that_cannot_work_end_with_2(capsys, checkpoint):
    assert main([str(checkpoint), "--output", "noise.yaml"]) == 2
    assert "expected a name that ends with .json" in capsys.readouterr().err
