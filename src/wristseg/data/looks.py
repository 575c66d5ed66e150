"""New looks for frames with exact masks: each class changes colour and pattern by itself.

A frame shows a table of one colour; the mask says where it is, so it can turn green and striped
while the fingers stay white: far more looks than were recorded. The idea of random textures is
that of https://arxiv.org/abs/1703.06907. Called by ``scripts/pretrain.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX
from wristseg.data.appearance import colour_matrix

__all__ = ["Looks"]

#: Natural logarithms of the gains of the three channels, at most.
_GAIN = 0.5
#: Cells of a pattern along the frame's shorter side, from coarse to fine.
_CELLS = (1.5, 24.0)
#: How far a corner of a pattern is moved, in sides of the frame: a table is seen at an angle.
_TILT = 0.35
#: How strongly a pattern shows; the class's own light and shade stay in any case.
_COVER = (0.3, 1.0)


@dataclass(frozen=True)
class Looks:
    """Draws a look for every class of a frame.

    Attributes:
        recoloured: Share of classes whose hue and gains are turned.
        patterned: Share of classes that get a pattern.
    """

    recoloured: float
    patterned: float

    def change(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], *, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return a changed copy.

        Args:
            image: (H, W, 3) uint8, RGB.
            mask: (H, W) uint8, class ids or 255, which stays as it is.
            rng: Draws all of it.
        """
        changed = np.array(image)
        for class_id in np.unique(mask):
            if class_id == IGNORE_INDEX:
                continue
            of_class = cv2.compare(mask, int(class_id), cv2.CMP_EQ)
            if rng.random() < self.recoloured:
                cv2.copyTo(_turn(changed, rng), of_class, changed)
            if rng.random() < self.patterned:
                cv2.copyTo(_cover(changed, rng), of_class, changed)
        return changed


def _turn(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    hue, gains = rng.uniform(-math.pi, math.pi), np.exp(rng.uniform(-_GAIN, _GAIN, 3))
    return np.asarray(cv2.transform(image, gains[:, None] * colour_matrix(1.0, hue)))


def _cover(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Multiply the image by a pattern around 1, so that its shadows stay."""
    pattern = _draw_pattern((image.shape[0], image.shape[1]), rng)
    share = rng.uniform(*_COVER)
    factor = cv2.addWeighted(pattern, share / 128.0, pattern, 0.0, 1.0 - share, dtype=cv2.CV_32F)
    return np.asarray(cv2.multiply(image, factor, dtype=cv2.CV_8U))


def _draw_pattern(size_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw coloured cells, sharp or blurred, few or many, long or square, seen at an angle."""
    height, width = size_hw
    low, high = np.log(_CELLS)
    rows, columns = (
        np.exp(rng.uniform(low, high, 2))
        if rng.random() < 0.5
        else [float(np.exp(rng.uniform(low, high)))] * 2
    )
    shape = (max(2, round(rows)), max(2, round(columns)))
    palette = rng.integers(0, 256, (int(rng.integers(2, 6)), 3))
    cells = palette[rng.integers(0, len(palette), shape)].astype(np.uint8)
    if rng.random() < 0.3:  # shades of one colour
        cells = (cells.mean(axis=2, keepdims=True) * rng.uniform(0.6, 1.0, 3)).astype(np.uint8)
    corners = np.array([[0, 0], [shape[1], 0], [shape[1], shape[0]], [0, shape[0]]], np.float32)
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    side = min(height, width)
    seen = frame + rng.uniform(-_TILT, _TILT, (4, 2)).astype(np.float32) * side
    angle = rng.uniform(-math.pi, math.pi)
    turned = _rotate(seen, angle, center=frame[2] / 2, scale=float(rng.uniform(1.0, 1.8)))
    how = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
    drawn = cv2.warpPerspective(
        cells,
        cv2.getPerspectiveTransform(corners, turned),
        (width, height),
        flags=how,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(drawn)


def _rotate(
    points: NDArray[np.float32], angle: float, *, center: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[cos, -sin], [sin, cos]], np.float32)
    return np.asarray((points - center) @ matrix.T + center, np.float32)
