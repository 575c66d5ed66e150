"""From masks to observations: the same for every source, checked against plain formulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.contracts import contracts, few, masks
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.policy import FrameStack, MaskEncoder, MaskObservation, ObservationContract


def plainly(mask, contract):
    """The contract as a reader of the docs would write it, pixel by pixel."""
    height, width = mask.shape
    if contract.crop == "center-square":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        mask = mask[top : top + side, left : left + side]
    small = Image.fromarray(mask).resize(contract.size_hw[::-1], Image.Resampling.NEAREST)
    names = DEFAULT_CLASSES.names
    mapping = contract.class_map or {name: i for i, name in enumerate(names)}
    count = max(mapping.values()) + 1
    ids = np.zeros(contract.size_hw, int)
    for class_id, name in enumerate(names):
        ids[np.array(small) == class_id] = mapping[name]
    if contract.channels == "one-hot":
        on = 255 if contract.range == "spread" else 1
        channels = [(ids == i) * on for i in range(count)]
    else:
        channels = [ids * (255 // (count - 1) if contract.range == "spread" else 1)]
    return np.stack(channels).astype(np.uint8)


@few
@given(contract=contracts(), mask=masks())
def test_encoder_equals_the_contract_written_plainly(contract, mask):
    encoded = MaskEncoder(contract, DEFAULT_CLASSES)(mask)
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded, plainly(mask, contract))


@few
@given(contract=contracts(), data=st.data())
def test_observation_has_the_shape_order_and_range_it_promises(contract, data):
    observation = MaskObservation(contract, DEFAULT_CLASSES)
    frames = [data.draw(masks()) for _ in range(data.draw(st.integers(1, 7)))]
    seen = [observation.reset(frames[0]), *(observation.step(mask) for mask in frames[1:])]
    encoded = [plainly(mask, contract) for mask in frames]
    for time, stack in enumerate(seen):
        assert stack.shape == contract.shape(DEFAULT_CLASSES) == observation.shape
        assert stack.dtype == np.uint8
        assert stack.max() <= contract.highest(DEFAULT_CLASSES)
        expected = [encoded[max(0, time - age)] for age in reversed(range(contract.stack))]
        np.testing.assert_array_equal(stack, np.stack(expected))


def test_84x84_masks_that_were_enlarged_to_a_frame_come_back_unchanged():
    from wristseg.preprocess import PreprocessContract

    ids = np.random.default_rng(0).integers(0, 6, (84, 84), np.uint8)
    for frame_hw in ((480, 640), (1080, 1920), (84, 84), (100, 90)):
        frame = PreprocessContract((84, 84)).restore_mask(ids, frame_hw)
        encoded = MaskEncoder(ObservationContract(), DEFAULT_CLASSES)(frame)
        np.testing.assert_array_equal(encoded[0], ids)


def test_reset_forgets_the_episode_before():
    stack = FrameStack(3)
    first, second, third = (np.full((1, 2, 2), i, np.uint8) for i in range(3))
    stack.reset(first)
    stack.step(second)
    assert stack.reset(third)[:, 0, 0, 0].tolist() == [2, 2, 2]


def test_observations_keep_their_bytes_when_the_loop_goes_on():
    stack = FrameStack(2)
    kept = stack.reset(np.zeros((1, 1, 1), np.uint8))
    stack.step(np.ones((1, 1, 1), np.uint8))[:] = 9
    kept_later = stack.step(np.full((1, 1, 1), 2, np.uint8))
    assert (kept.ravel().tolist(), kept_later.ravel().tolist()) == ([0, 0], [1, 2])


def test_step_before_reset_says_what_to_do():
    with pytest.raises(RuntimeError, match="an episode begins with reset"):
        FrameStack(3).step(np.zeros((1, 1, 1), np.uint8))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((2, 2), np.int64), r"\(2, 2\) int64, expected \(H, W\) uint8"),
        (np.zeros((1, 2, 2), np.uint8), r"\(1, 2, 2\) uint8"),
        (np.full((2, 2), 6, np.uint8), "ids up to 6, expected 0 unlabeled, 1 background"),
        (np.full((2, 2), 255, np.uint8), "ids up to 255"),
        (np.zeros((0, 2), np.uint8), "no pixels"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_mask_is_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        MaskEncoder(ObservationContract(), DEFAULT_CLASSES)(mask)


def test_class_map_of_other_classes_is_refused_when_the_encoder_is_made():
    with pytest.raises(DataError, match="class_map lacks unlabeled"):
        MaskEncoder(ObservationContract(class_map={"cube": 1}), DEFAULT_CLASSES)
