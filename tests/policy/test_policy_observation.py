"""Camera frames to observations: equal to those of known masks, whatever the contract says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.contracts import contracts, few
from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.policy.fakes import coded_frame, red_segmenter
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import CheckpointError
from wristseg.policy import MaskObservation, ObservationContract, PolicyObservation

_IDS = arrays(np.uint8, (12, 16), elements=st.integers(0, 5))


@few
@given(contract=contracts(), frames=st.lists(_IDS, min_size=1, max_size=5))
def test_predicted_and_known_masks_give_the_same_bytes(contract, frames):
    robot = PolicyObservation(red_segmenter((12, 16)), contract=contract)
    simulator = MaskObservation(contract, DEFAULT_CLASSES)
    for time, mask in enumerate(frames):
        frame = coded_frame(mask)
        if contract.color_order == "bgr":
            frame = np.ascontiguousarray(frame[..., ::-1])
        real = robot.reset(frame) if time == 0 else robot.step(frame)
        known = simulator.reset(mask) if time == 0 else simulator.step(mask)
        assert real.dtype == known.dtype
        np.testing.assert_array_equal(real, known)
    assert robot.shape == simulator.shape == real.shape


def test_normalised_frame_is_refused_with_the_reason():
    robot = PolicyObservation(red_segmenter((12, 16)))
    with pytest.raises(ValueError, match="not divided by 255"):
        robot.reset(np.zeros((12, 16, 3), np.float32))


def test_contract_in_the_file_is_followed():
    robot = PolicyObservation(red_segmenter((12, 16), observation={"stack": 2, "size_hw": [6, 8]}))
    assert robot.reset(coded_frame(np.zeros((12, 16), np.uint8))).shape == (2, 1, 6, 8)


def test_cameras_color_order_may_differ_from_the_contracts(tmp_path):
    path = save_plain_checkpoint(tmp_path / "best.ckpt", randomised_network())
    frame = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    rgb = PolicyObservation.load(path, device="cpu")
    bgr = PolicyObservation.load(path, device="cpu", color_order="bgr")
    np.testing.assert_array_equal(rgb.reset(frame), bgr.reset(frame[..., ::-1].copy()))
    assert (rgb.reset(frame) != bgr.reset(frame)).any()


def test_class_map_that_does_not_fit_is_an_error_when_the_model_is_loaded(tmp_path):
    path = save_own_checkpoint(
        tmp_path / "best.ckpt",
        randomised_network(),
        observation={"class_map": {"cube": 1}, "crop": "center-square"},
    )
    with pytest.raises(CheckpointError, match=r"best.ckpt: .*class_map lacks unlabeled"):
        PolicyObservation.load(path, device="cpu")


def test_contract_given_by_the_caller_is_held_against_the_model():
    contract = ObservationContract(class_map={"brick": 1})
    with pytest.raises(CheckpointError, match="class_map names brick"):
        PolicyObservation(red_segmenter((12, 16)), contract=contract)


def test_malformed_contract_names_the_model_file():
    with pytest.raises(CheckpointError, match=r"red.ckpt: observation contract: stack is 0"):
        red_segmenter((12, 16), observation={"stack": 0})


def test_file_without_a_contract_gets_the_default_and_says_so():
    info = red_segmenter((12, 16)).info
    assert info.observation_contract == ObservationContract()
    assert info.observation_origin == "default: the file is older than the contract and has none"
    part = red_segmenter((12, 16), observation={"stack": 2}).info
    assert part.observation_origin.startswith("the file; by default: size_hw, crop")
    whole = red_segmenter((12, 16), observation=ObservationContract().to_dict()).info
    assert whole.observation_origin == "the file"
