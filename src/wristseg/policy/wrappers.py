"""Gymnasium wrappers: the policy's observation, from a camera or from a simulator.

In: an environment. Out: one whose observation is what the contract says, byte for byte the same as
``PolicyObservation`` gives on the robot. The steps are wrappers of their own, so that any of them
can be left out or put elsewhere:

    PredictMasks or RenderMasks -> CorruptMasks -> StackMasks

``predicted_observation`` and ``rendered_observation`` put them together. A ``key`` names the entry
of a Dict observation, or a path into nested ones; None is the observation itself. Needs the extra
``gym``; MuJoCo only where its masks are rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import DataError
from wristseg.observation import ObservationContract
from wristseg.policy.corrupt import MaskCorruptor
from wristseg.policy.encoder import FrameStack, MaskEncoder
from wristseg.policy.mask_noise import MaskNoise
from wristseg.policy.observation import PolicyObservation

__all__ = [
    "CorruptMasks",
    "PredictMasks",
    "RenderMasks",
    "StackMasks",
    "predicted_observation",
    "rendered_observation",
]

#: Entry of a Dict observation, or a path into nested ones; None is the observation itself.
Key: TypeAlias = str | tuple[str, ...] | None
_Env: TypeAlias = "gym.Env[Any, Any]"


class _MaskWrapper(gym.Wrapper[Any, Any, Any, Any]):
    """Replaces one entry of the observation.

    Args:
        env: The environment.
        key: The entry.
        space: Space of what takes its place.
    """

    def __init__(self, env: _Env, key: Key, space: spaces.Space[Any]) -> None:
        super().__init__(env)
        self._path = () if key is None else (key,) if isinstance(key, str) else key
        self.observation_space = _replaced_space(env.observation_space, self._path, space)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        first = self._first(_at(observation, self._path), seed)
        return _replaced(observation, self._path, first), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Go on by a step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        following = self._next(_at(observation, self._path))
        return _replaced(observation, self._path, following), reward, terminated, truncated, info

    def _first(self, value: Any, seed: int | None) -> NDArray[np.uint8]:
        del seed
        return self._next(value)

    def _next(self, value: Any) -> NDArray[np.uint8]:
        raise NotImplementedError


class PredictMasks(_MaskWrapper):
    """Replaces a camera image by the model's mask, at the size of the observation.

    Args:
        env: Its image is (H, W, 3) uint8 in the contract's ``color_order``.
        observation: The model and the contract; its frame stack is not used.
        key: Where the image stands.

    Raises:
        DataError: There is no such image in the observation.
    """

    def __init__(self, env: _Env, observation: PolicyObservation, *, key: Key = None) -> None:
        super().__init__(env, key, _mask_space(observation.encoder))
        image = _space_at(env.observation_space, self._path)
        if not isinstance(image, spaces.Box) or image.dtype != np.uint8 or image.shape[2:] != (3,):
            raise DataError(
                f"observation {key}", f"is {image}, expected a Box of (H, W, 3) uint8, an image"
            )
        self._observation = observation

    def _next(self, value: Any) -> NDArray[np.uint8]:
        return self._observation.encoder.resize(self._observation.mask(value))


class RenderMasks(_MaskWrapper):
    """Puts a simulator's perfect mask into the observation, at the observation's size.

    Args:
        env: The environment.
        render_ids: Returns (H, W) uint8 class ids of the scene as it stands; ``MujocoMasks``.
        encoder: Contract and class table.
        key: Where the mask goes; None puts it in place of the whole observation.
    """

    def __init__(
        self,
        env: _Env,
        render_ids: Callable[[], NDArray[np.uint8]],
        encoder: MaskEncoder,
        *,
        key: Key = None,
    ) -> None:
        super().__init__(env, key, _mask_space(encoder))
        self._render_ids, self._encoder = render_ids, encoder

    def _next(self, value: Any) -> NDArray[np.uint8]:
        del value
        return self._encoder.resize(self._render_ids())


class CorruptMasks(_MaskWrapper):
    """Makes a real model's errors on masks, between rendering and stacking.

    Args:
        env: Its mask is (h, w) uint8 class ids at the size that the noise was fitted at.
        noise: How the real model errs.
        key: Where the mask stands.
        seed: Of the errors; ``reset(seed=...)`` sets them too.

    Raises:
        DataError: The noise was fitted at another size.
    """

    def __init__(
        self, env: _Env, noise: MaskNoise, *, key: Key = None, seed: int | None = None
    ) -> None:
        space = _mask_space_of(noise.size_hw, len(noise.class_names))
        super().__init__(env, key, space)
        before = _space_at(env.observation_space, self._path)
        if before != space:
            raise DataError("mask noise", f"was fitted for masks of {space}, these are {before}")
        self._corrupt = MaskCorruptor(noise, seed=seed)

    def _first(self, value: Any, seed: int | None) -> NDArray[np.uint8]:
        self._corrupt.reset(seed=seed)
        return self._corrupt(value)

    def _next(self, value: Any) -> NDArray[np.uint8]:
        return self._corrupt(value)


class StackMasks(_MaskWrapper):
    """Turns masks into the policy's ids and channels, and stacks frames.

    Args:
        env: Its mask is (h, w) uint8 class ids at the contract's size.
        encoder: Contract and class table.
        key: Where the mask stands.
    """

    def __init__(self, env: _Env, encoder: MaskEncoder, *, key: Key = None) -> None:
        contract, classes = encoder.contract, encoder.classes
        shape, highest = contract.shape(classes), contract.highest(classes)
        super().__init__(env, key, spaces.Box(0, highest, shape, np.uint8))
        before = _space_at(env.observation_space, self._path)
        if before != _mask_space(encoder):
            raise DataError(
                f"observation {key}", f"is {before}, expected masks of {_mask_space(encoder)}"
            )
        self._encoder, self._stack = encoder, FrameStack(contract.stack)

    def _first(self, value: Any, seed: int | None) -> NDArray[np.uint8]:
        del seed
        return self._stack.reset(self._encoder.finish(value))

    def _next(self, value: Any) -> NDArray[np.uint8]:
        return self._stack.step(self._encoder.finish(value))


def predicted_observation(
    env: _Env, observation: PolicyObservation, *, key: Key = None
) -> StackMasks:
    """Give a policy the masks that a model predicts from the environment's camera.

    Args:
        env: Its image is (H, W, 3) uint8 in the contract's ``color_order``.
        observation: The model and the contract.
        key: Where the image stands; the observation takes its place.

    Raises:
        DataError: There is no such image in the observation.
    """
    return StackMasks(PredictMasks(env, observation, key=key), observation.encoder, key=key)


def rendered_observation(
    env: _Env,
    render_ids: Callable[[], NDArray[np.uint8]],
    *,
    contract: ObservationContract,
    classes: ClassTable,
    noise: MaskNoise | None = None,
    key: Key = None,
    seed: int | None = None,
) -> StackMasks:
    """Give a policy a simulator's masks under the same contract.

    Args:
        env: The environment.
        render_ids: Returns (H, W) uint8 class ids of the scene as it stands; ``MujocoMasks``.
        contract: What the policy sees; of the model file that will predict on the robot.
        classes: That model's class table.
        noise: Errors to make on the masks, or None for perfect ones.
        key: Where the observation goes; None puts it in place of the whole observation.
        seed: Of the errors.

    Raises:
        DataError: The contract does not fit the classes, or the noise the contract.
    """
    encoder = MaskEncoder(contract, classes)
    masks: _Env = RenderMasks(env, render_ids, encoder, key=key)
    if noise is not None:
        if noise.class_names != classes.names:
            raise DataError(
                "mask noise", f"was fitted for {noise.class_names}, the classes are {classes.names}"
            )
        masks = CorruptMasks(masks, noise, key=key, seed=seed)
    return StackMasks(masks, encoder, key=key)


def _mask_space(encoder: MaskEncoder) -> spaces.Box:
    return _mask_space_of(encoder.contract.size_hw, len(encoder.classes))


def _mask_space_of(size_hw: tuple[int, int], num_classes: int) -> spaces.Box:
    return spaces.Box(0, num_classes - 1, size_hw, np.uint8)


def _space_at(space: spaces.Space[Any], path: tuple[str, ...]) -> spaces.Space[Any]:
    for name in path:
        if not isinstance(space, spaces.Dict) or name not in space.spaces:
            raise DataError("observation", f"has no entry {'.'.join(path)}, it is {space}")
        space = space[name]
    return space


def _replaced_space(
    space: spaces.Space[Any], path: tuple[str, ...], new: spaces.Space[Any]
) -> spaces.Space[Any]:
    if not path:
        return new
    if not isinstance(space, spaces.Dict):
        raise DataError("observation", f"is {space}, expected a Dict to put {path[0]!r} into")
    inner = space.spaces.get(path[0], spaces.Dict({}))
    return spaces.Dict({**space.spaces, path[0]: _replaced_space(inner, path[1:], new)})


def _at(observation: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        # A mask that is about to be added is not there yet.
        observation = observation.get(name) if isinstance(observation, Mapping) else None
    return observation


def _replaced(observation: Any, path: tuple[str, ...], new: NDArray[np.uint8]) -> Any:
    if not path:
        return new
    inner = _replaced(observation.get(path[0], {}), path[1:], new)
    return {**observation, path[0]: inner}
