"""Gymnasium wrappers: rendered and predicted observations are the same bytes under one contract."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FrameStackObservation
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts import contracts, few
from tests.policy.fakes import coded_frame, red_segmenter
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.policy import MaskEncoder, ObservationContract, PolicyObservation
from wristseg.policy.mask_noise import MaskNoise
from wristseg.policy.wrappers import (
    CorruptMasks,
    RenderMasks,
    StackMasks,
    predicted_observation,
    rendered_observation,
)

_HW = (12, 16)
#: check_env looks at the wrapped environment on purpose here, and says that it is one.
_WRAPPED = pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")


class CodedEnv(gym.Env):
    """Its camera's red channel is the class id; ``ids`` are the scene's perfect masks."""

    def __init__(self, *, nested=False, order="rgb"):
        image = spaces.Box(0, 255, (*_HW, 3), np.uint8)
        self._nested, self._order = nested, order
        joints = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = (
            spaces.Dict({"joints": joints, "pixels": spaces.Dict({"wrist": image})})
            if nested
            else image
        )
        self.action_space = spaces.Discrete(6)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.ids = self.np_random.integers(0, 6, _HW, np.uint8)
        return self._observed(), {}

    def step(self, action):
        self.ids = ((self.ids + action) % 6).astype(np.uint8)
        return self._observed(), 0.0, False, False, {}

    def _observed(self):
        frame = coded_frame(self.ids)
        frame = frame if self._order == "rgb" else np.ascontiguousarray(frame[..., ::-1])
        joints = np.zeros(2, np.float32)
        return {"joints": joints, "pixels": {"wrist": frame}} if self._nested else frame


def rendered(env, contract, **options):
    return rendered_observation(
        env, lambda: env.ids, contract=contract, classes=DEFAULT_CLASSES, **options
    )


@few
@given(contract=contracts(), actions=st.lists(st.integers(0, 5), max_size=5))
def test_rendered_and_predicted_observations_are_the_same_bytes(contract, actions):
    order = contract.color_order
    robot = PolicyObservation(red_segmenter(_HW), contract=contract)
    predicted = predicted_observation(CodedEnv(order=order), robot)
    known = rendered(CodedEnv(order=order), contract)
    assert predicted.observation_space == known.observation_space
    seen = [(predicted.reset(seed=3)[0], known.reset(seed=3)[0])]
    seen += [(predicted.step(action)[0], known.step(action)[0]) for action in actions]
    for real, simulated in seen:
        assert (real.dtype, real.shape) == (simulated.dtype, simulated.shape)
        np.testing.assert_array_equal(real, simulated)
        assert real in predicted.observation_space


def test_wrapper_gives_what_policy_observation_gives_on_the_robot():
    contract = ObservationContract(size_hw=(6, 8), channels="one-hot", range="spread")
    env, camera = CodedEnv(), CodedEnv()
    wrapped = rendered(env, contract)
    robot = PolicyObservation(red_segmenter(_HW), contract=contract)
    np.testing.assert_array_equal(wrapped.reset(seed=1)[0], robot.reset(camera.reset(seed=1)[0]))
    for action in (1, 2, 3):
        frame = camera.step(action)[0]
        np.testing.assert_array_equal(wrapped.step(action)[0], robot.step(frame))


def test_stack_equals_gymnasiums_own():
    contract = ObservationContract(size_hw=(6, 8), stack=3)
    encoder = MaskEncoder(contract, DEFAULT_CLASSES)
    env, other = CodedEnv(), CodedEnv()
    ours = StackMasks(RenderMasks(env, lambda: env.ids, encoder), encoder)
    theirs = FrameStackObservation(RenderMasks(other, lambda: other.ids, encoder), 3)
    pairs = [(ours.reset(seed=0)[0], theirs.reset(seed=0)[0])]
    pairs += [(ours.step(action)[0], theirs.step(action)[0]) for action in (1, 5, 2, 3)]
    for mine, oracle in pairs:
        np.testing.assert_array_equal(mine[:, 0], oracle)


@_WRAPPED
@pytest.mark.parametrize("kind", ["predicted", "rendered", "noisy", "nested"])
def test_gymnasiums_checker_passes(kind):
    contract = ObservationContract(size_hw=(6, 8))
    env = CodedEnv(nested=kind == "nested")
    if kind in {"predicted", "nested"}:
        key = ("pixels", "wrist") if kind == "nested" else None
        robot = PolicyObservation(red_segmenter(_HW), contract=contract)
        wrapped = predicted_observation(env, robot, key=key)
    else:
        noise = None if kind == "rendered" else noisy((6, 8))
        wrapped = rendered(env, contract, noise=noise)
    check_env(wrapped, skip_render_check=True)


def noisy(size_hw):
    shares = np.zeros((1, 2, 6, 6))
    shares[0, :, 2, 1] = 0.3
    plain = MaskNoise.none(DEFAULT_CLASSES.names, size_hw).to_dict()
    return MaskNoise.from_dict({**plain, "shares": shares, "sigma_px": np.full(6, 0.8)})


def test_errors_are_those_of_the_seed():
    contract = ObservationContract(size_hw=_HW)
    envs = [rendered(CodedEnv(), contract, noise=noisy(_HW)) for _ in range(2)]
    first, again = (env.reset(seed=7)[0] for env in envs)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(envs[0].step(1)[0], envs[1].step(1)[0])
    clean = rendered(CodedEnv(), contract).reset(seed=7)[0]
    assert (first != clean).any()


def test_mask_may_be_added_beside_other_observations():
    env = CodedEnv(nested=True)
    wrapped = rendered(env, ObservationContract(), key="masks")
    observation, _ = wrapped.reset(seed=0)
    assert set(observation) == {"joints", "pixels", "masks"}
    assert observation in wrapped.observation_space
    assert observation["masks"].shape == (3, 1, 84, 84)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda env: predicted_observation(
                env, PolicyObservation(red_segmenter(_HW)), key="joints"
            ),
            "expected a Box of .* an image",
        ),
        (
            lambda env: predicted_observation(
                env, PolicyObservation(red_segmenter(_HW)), key=("pixels", "front")
            ),
            "has no entry pixels.front",
        ),
        (
            lambda env: StackMasks(
                env, MaskEncoder(ObservationContract(), DEFAULT_CLASSES), key="joints"
            ),
            "expected masks of Box",
        ),
        (
            lambda env: rendered(env, ObservationContract(), noise=noisy((6, 8)), key="masks"),
            "was fitted for masks of",
        ),
        (lambda env: CorruptMasks(env, noisy((6, 8)), key="joints"), "was fitted for masks of"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_put_together(make, message):
    with pytest.raises(DataError, match=message):
        make(CodedEnv(nested=True))


def test_noise_of_other_classes_is_refused():
    names = (*DEFAULT_CLASSES.names[:-1], "brick")
    noise = MaskNoise.none(names, (84, 84))
    with pytest.raises(DataError, match="brick"):
        rendered(CodedEnv(), ObservationContract(), noise=noise)
