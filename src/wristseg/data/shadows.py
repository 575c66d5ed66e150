"""Shadows cast over training frames: of an arm that reaches in, or of things out of sight.

Wrist cameras see the shadow of their own arm wander over the table, and a model that has learned
from few recordings takes it for the object. A shadow takes light away and changes no label: it is
multiplied onto the image, with a soft edge (penumbra) and a slight tint, since what is left is the
room's own light. Called by ``data.augment`` and ``data.batch_augment``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable

__all__ = ["DARKNESS", "TINT", "Shadows", "draw_shade"]

#: Share of the light that is taken away in the core of a shadow.
DARKNESS = (0.3, 0.8)
#: By how much of that share the channels differ, at most.
TINT = 0.06
#: Sigma of the soft edge, as a share of the frame's height; drawn evenly in its logarithm.
_PENUMBRA = (0.003, 0.04)
#: Most shadows of things out of sight in one frame.
_MOST_BLOBS = 2
_ARM_CHANCE = 0.65
#: Shadows that fall on table and object only, since fingers and arm are nearer to the lamp.
_BEHIND_CHANCE = 0.5

#: Shadows have no detail: above this height they are drawn at half the size and enlarged.
_FULL_SIZE_TO = 240

#: Classes that a shadow falls on when it falls behind the arm.
_GROUND = ("table", "cube")

#: Places are drawn in 1/16 pixel, which OpenCV calls a shift of 4.
_SHIFT = 4


@dataclass(frozen=True)
class Shadows:
    """Casts shadows on a share of the frames.

    Attributes:
        chance: Share of the frames, 0 to 1.
        spared_ids: Classes that a shadow may leave out: those in front of table and object.
    """

    chance: float
    spared_ids: tuple[int, ...] = ()
    _spared: NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table = np.zeros(256, np.uint8)
        table[list(self.spared_ids)] = 255
        object.__setattr__(self, "_spared", table)

    @classmethod
    def on(cls, classes: ClassTable, chance: float) -> Self:
        """Return shadows for a data set: without a class called table, they spare nothing."""
        ground = {classes.id_of(name) for name in _GROUND} - {None}
        others = tuple(i for i in range(1, len(classes)) if i not in ground)
        return cls(chance, others if ground else ())

    def cast(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], *, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return the frame, darkened in places; the mask is only looked at.

        Args:
            image: (H, W, 3) uint8.
            mask: (H, W) uint8, class ids or 255.
            rng: Source of chance.

        Returns:
            (H, W, 3) uint8, nowhere brighter than the image; the image itself where none is cast.
        """
        if rng.random() >= self.chance:
            return image
        height, width = mask.shape
        scale = 1 if height <= _FULL_SIZE_TO else 2
        canvas_hw = (-(-height // scale), -(-width // scale))
        shade = draw_shade(rng, canvas_hw)
        if self.spared_ids and rng.random() < _BEHIND_CHANCE:
            shade = self._behind(shade, mask)
        light = cv2.LUT(cv2.merge([shade] * 3), _light_table(rng))
        if scale != 1:
            light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.multiply(image, light, scale=1 / 255), np.uint8)

    def _behind(self, shade: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Take a shadow off the spared classes, with an edge that does not retrace the labels."""
        spared = cv2.LUT(np.ascontiguousarray(mask), self._spared)
        spared = cv2.resize(spared, shade.shape[::-1], interpolation=cv2.INTER_AREA)
        spared = cv2.GaussianBlur(spared, (0, 0), max(0.7, 0.006 * shade.shape[0]))
        return np.asarray(cv2.multiply(shade, 255 - spared, scale=1 / 255), np.uint8)


def _light_table(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return (1, 256, 3) uint8: the light left per channel, by how much of the lamp is hidden."""
    darkness = rng.uniform(*DARKNESS) * (1 + rng.uniform(-TINT, TINT, 3))
    hidden = np.linspace(0.0, 1.0, 256)[:, None]
    return np.rint(255 * (1 - hidden * darkness)).astype(np.uint8)[None]


def draw_shade(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (H, W) uint8: how much of the lamp is hidden in each place, 0 to 255."""
    arm = rng.random() < _ARM_CHANCE
    blobs = int(rng.integers(0 if arm else 1, _MOST_BLOBS + 1))
    shapes = [_arm(rng, size_hw)] * arm + [[_blob(rng, size_hw)] for _ in range(blobs)]
    shade = np.zeros(size_hw, np.uint8)
    for outlines in shapes:
        layer = np.zeros(size_hw, np.uint8)
        for outline in outlines:
            points = np.rint(outline * 2**_SHIFT).astype(np.int32)
            cv2.fillPoly(layer, [points], 255, lineType=cv2.LINE_AA, shift=_SHIFT)
        sigma = size_hw[0] * math.exp(rng.uniform(*np.log(_PENUMBRA)))
        shade = np.maximum(shade, cv2.GaussianBlur(layer, (0, 0), max(sigma, 0.3)))
    return shade


def _blob(rng: np.random.Generator, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return (n, 2) x, y: a polygon of 3 to 8 corners around a point in or near the frame."""
    height, width = size_hw
    corners = int(rng.integers(3, 9))
    turns = np.sort(rng.uniform(0, 1, corners) * 0.6 + np.arange(corners)) / corners
    radius = height * rng.uniform(0.12, 0.5) * rng.uniform(0.6, 1.0, corners)
    centre = rng.uniform(-0.1, 1.1, 2) * (width, height)
    stretch, angle = rng.uniform(0.5, 1.0), rng.uniform(0, math.pi)
    ring = np.stack([np.cos(2 * math.pi * turns), stretch * np.sin(2 * math.pi * turns)], axis=1)
    return centre + (ring * radius[:, None]) @ _rotation(angle)


def _arm(rng: np.random.Generator, size_hw: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Return outlines of a tapered bar from outside the frame, with two fingers at its tip."""
    height, width = size_hw
    tip = rng.uniform(0.15, 0.85, 2) * (width, height)
    heading = rng.uniform(0, 2 * math.pi)
    forward = np.array([math.cos(heading), math.sin(heading)])
    base = tip - forward * (height + width)  # outside, wherever the tip is
    thick = height * rng.uniform(0.04, 0.11)  # half the width at the tip
    outlines = [_bar(base, tip, thick * rng.uniform(1.5, 4.0), thick)]
    opening, reach = rng.uniform(0.1, 0.7), height * rng.uniform(0.1, 0.3)
    for side in (-1, 1):
        root = tip + side * thick * 0.6 * forward[::-1] * (-1, 1)
        end = root + reach * forward @ _rotation(-side * opening)
        outlines.append(_bar(root, end, thick * 0.45, thick * rng.uniform(0.15, 0.35)))
    return outlines


def _bar(
    start: NDArray[np.float64], end: NDArray[np.float64], start_half: float, end_half: float
) -> NDArray[np.float64]:
    """Return (n, 2) x, y: a bar with round ends, as wide at each end as that end's circle."""
    along = end - start
    angle = math.atan2(along[1], along[0])
    half_circle = np.linspace(-math.pi / 2, math.pi / 2, 7)
    around_end = end + end_half * _on_circle(angle + half_circle)
    around_start = start + start_half * _on_circle(angle + math.pi + half_circle)
    return np.concatenate([around_end, around_start])


def _on_circle(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _rotation(angle: float) -> NDArray[np.float64]:
    """Return (2, 2) that turns row vectors by the angle."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])
