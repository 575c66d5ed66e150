"""Uneven light over training frames: a spot, light that falls off, sun through blinds, dapples.

``shadows`` takes light away where things stand before a lamp; this is the lamp itself. Labels do
not change. Called by ``data.batch_augment``.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_lamp"]

#: Sigma of a soft edge, as a share of the frame's height; drawn evenly in its logarithm.
_EDGE = (0.004, 0.2)


def draw_lamp(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (H, W) uint8: the lamp's light in each place, 255 where it is brightest."""
    kinds = (_spot, _ramp, _blinds, _dapples)
    light = kinds[int(rng.integers(len(kinds)))](rng, size_hw)
    low, high = float(light.min()), float(light.max())
    levels = np.rint((light - low) * (255 / max(high - low, 1e-6)))
    return np.asarray(levels, np.uint8)


def _spot(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """An ellipse."""
    height, width = size_hw
    light = np.zeros(size_hw, np.uint8)
    centre = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.1, 0.9) * height))
    half = (int(height * rng.uniform(0.2, 0.8)), int(height * rng.uniform(0.2, 0.8)))
    cv2.ellipse(light, centre, half, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
    return _softened(light, rng)


def _ramp(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Light that falls off from one side to the other."""
    x, y = _places(size_hw)
    turn = rng.uniform(0, 2 * math.pi)
    along = x * math.cos(turn) + y * math.sin(turn)
    share = (along - along.min()) / (along.max() - along.min())
    return np.asarray(share ** rng.uniform(0.5, 2.5), np.float32)


def _blinds(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Bright bands side by side; a window's cross where there are few."""
    x, y = _places(size_hw)
    turn = rng.uniform(0, math.pi)
    bands = math.exp(rng.uniform(math.log(0.7), math.log(12.0)))
    along = (x * math.cos(turn) + y * math.sin(turn)) * bands + rng.uniform()
    light = along % 1.0 < rng.uniform(0.25, 0.75)
    if rng.random() < 0.5:
        across = (y * math.cos(turn) - x * math.sin(turn)) * rng.uniform(0.7, 2.0) + rng.uniform()
        light &= across % 1.0 < rng.uniform(0.5, 0.95)
    return _softened(light.astype(np.uint8) * 255, rng, most=0.15 / bands)


def _dapples(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Patches without a form, as under leaves or between many things."""
    height, width = size_hw
    total = np.zeros(size_hw, np.float32)
    for octave in range(int(rng.integers(1, 4))):
        grid = rng.random((3 << octave, 4 << octave), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    if rng.random() < 0.5:
        lit = (total > np.quantile(total, rng.uniform(0.2, 0.7))).astype(np.uint8) * 255
        return _softened(lit, rng)
    return total


def _softened(
    light: NDArray[np.uint8], rng: np.random.Generator, *, most: float = _EDGE[1]
) -> NDArray[np.float32]:
    """Blur by a sigma of up to ``most`` of the height: what is narrower would be gone."""
    sigma = light.shape[0] * math.exp(rng.uniform(math.log(_EDGE[0]), math.log(_EDGE[1])))
    sigma = max(0.3, min(sigma, most * light.shape[0]))
    return np.asarray(cv2.GaussianBlur(light.astype(np.float32), (0, 0), sigma))


def _places(size_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x and y of every pixel, in heights of the frame."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]].astype(np.float32) / size_hw[0]
    return x, y
