"""The model in a program: same masks as the plain script, for any frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.plain_reference import plain_predict, save_plain_checkpoint
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import CheckpointError, UsageError
from wristseg.predict import Segmenter


def noisy_frame(height, width, seed=0):
    """Return a BGR frame with structure at several scales."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 12 + 1, width // 12 + 1, 3))
    frame = coarse.repeat(12, axis=0).repeat(12, axis=1)[:height, :width]
    return np.clip(frame + rng.integers(-20, 20, frame.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("model_hw", "frame_hw"),
    [
        ((84, 84), (480, 640)),
        ((96, 128), (96, 128)),
        ((96, 128), (61, 47)),
        ((100, 75), (120, 201)),
        ((240, 320), (480, 640)),
    ],
)
def test_masks_equal_those_of_the_plain_script(tmp_path, plain_network, model_hw, frame_hw):
    path = save_plain_checkpoint(tmp_path / "best.ckpt", plain_network, size_hw=model_hw)
    frame = noisy_frame(*frame_hw)
    expected = plain_predict(plain_network, frame, model_hw)
    mask = Segmenter.load(path, device="cpu").predict(frame)
    assert mask.dtype == np.uint8
    assert mask.shape == frame_hw
    assert len(np.unique(expected)) >= 3
    assert (mask == expected).mean() >= 0.9999
    assert mask.flags.writeable, "robot code draws into it"


def test_batch_of_frames_of_any_size_equals_single_frames(segmenter):
    frames = [noisy_frame(48, 64), noisy_frame(90, 70, seed=1), noisy_frame(48, 64, seed=2)]
    for frame, mask in zip(frames, segmenter.predict_batch(frames), strict=True):
        np.testing.assert_array_equal(mask, segmenter.predict(frame))
    assert segmenter.predict_batch([]) == []


def test_rgb_and_bgr_of_one_frame_give_one_mask(segmenter):
    frame_bgr = noisy_frame(48, 64)
    frame_rgb = np.ascontiguousarray(frame_bgr[..., ::-1])
    np.testing.assert_array_equal(segmenter.predict(frame_bgr), segmenter.predict_rgb(frame_rgb))
    assert (segmenter.predict(frame_bgr) != segmenter.predict(frame_rgb)).any()


def test_frame_that_is_a_view_is_read_in_its_own_order(segmenter):
    frame = noisy_frame(96, 128)
    view = frame[::2, ::-2]
    np.testing.assert_array_equal(segmenter.predict(view), segmenter.predict(view.copy()))


def test_missing_frame_of_an_unreadable_file_is_refused_by_name(segmenter):
    with pytest.raises(ValueError, match="frame is NoneType"):
        segmenter.predict(None)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_frame_of_another_form_is_refused_by_name(segmenter, frame):
    with pytest.raises(ValueError, match=r"frame is \(.*expected \(H, W, 3\) uint8"):
        segmenter.predict(frame)


def test_model_says_its_classes_origin_and_device(segmenter):
    assert segmenter.classes == DEFAULT_CLASSES
    assert segmenter.info.preprocess.size_hw == (32, 48)
    assert segmenter.device == "cpu"


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99", "cuda:-1", ""])
def test_device_that_is_not_there_is_a_usage_error(checkpoint, device):
    with pytest.raises(UsageError, match=f"--device {device}"):
        Segmenter.load(checkpoint, device=device)


def test_automatic_device_is_the_processor_without_an_accelerator(checkpoint, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert Segmenter.load(checkpoint).device == "cpu"


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"best\.ckpt: no such file"):
        Segmenter.load(tmp_path / "best.ckpt")
