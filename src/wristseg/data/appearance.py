"""What light and a cheap camera do to a frame, drawn anew for each: colours, blur, noise, JPEG.

Changes that a pixel's level alone decides (exposure, contrast, gamma, white balance) are one table
per channel, saturation and hue one matrix, so that a 640x480 frame takes a few milliseconds. Labels
do not change. Called by ``data.augment`` for ``light`` and ``robust``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GREY",
    "JPEG_FROM_HEIGHT",
    "LIGHT",
    "MIDDLE",
    "REFERENCE_HEIGHT",
    "ROBUST",
    "Appearance",
    "colour_matrix",
]

#: Lengths and noise are given for this height; a smaller frame is one that was averaged down.
REFERENCE_HEIGHT = 480
#: JPEG's blocks of 8x8 are of the camera's frame: a frame below this height hardly shows them.
JPEG_FROM_HEIGHT = 224

#: Weights of red, green and blue in grey (ITU-R BT.601).
GREY = np.array([0.299, 0.587, 0.114])
#: Level that contrast leaves as it is, of 0 to 1.
MIDDLE = 0.45


@dataclass(frozen=True)
class Appearance:
    """How far each property is changed, to either side, evenly.

    Attributes:
        exposure: Natural logarithm of the factor on all channels.
        contrast: Factor on the distance from mid-grey, around 1.
        gamma: Natural logarithm of the exponent.
        balance: Natural logarithm of the factor on each channel.
        saturation: Factor on the distance from grey, around 1.
        hue_deg: Turn of the colour circle.
        blur_chance: Share of frames that are out of focus.
        blur_px: Largest sigma of it at a height of 480.
        motion_chance: Share of frames that are smeared.
        motion_px: Longest smear at a height of 480.
        noise_chance: Share of frames with sensor noise.
        noise: Largest standard deviation of it, levels, at a height of 480.
        jpeg_chance: Share of frames that are compressed.
        jpeg_quality: Worst and best quality.
    """

    exposure: float
    contrast: float
    gamma: float
    balance: float
    saturation: float
    hue_deg: float
    blur_chance: float = 0.0
    blur_px: float = 0.0
    motion_chance: float = 0.0
    motion_px: float = 0.0
    noise_chance: float = 0.0
    noise: float = 0.0
    jpeg_chance: float = 0.0
    jpeg_quality: tuple[int, int] = (95, 95)

    def change(self, image: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return a changed copy of a frame, (H, W, 3) uint8 RGB."""
        scale = image.shape[0] / REFERENCE_HEIGHT
        image = self._recolour(image, rng)
        if rng.random() < self.blur_chance:
            image = _blur(image, scale * rng.uniform(0.3, 1.0) * self.blur_px)
        if rng.random() < self.motion_chance:
            length = scale * rng.uniform(0.2, 1.0) * self.motion_px
            image = _smear(image, length, rng.uniform(0, math.pi))
        if rng.random() < self.noise_chance:
            # Averaging n x n pixels divides noise by n, where neighbours do not share it.
            image = _add_noise(image, math.sqrt(scale) * rng.uniform(0.1, 1.0) * self.noise, rng)
        if rng.random() < self.jpeg_chance and image.shape[0] >= JPEG_FROM_HEIGHT:
            image = _compress(image, int(rng.integers(*self.jpeg_quality, endpoint=True)))
        return image

    def _recolour(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        exposure, gamma = rng.uniform(-1, 1, 2) * (self.exposure, self.gamma)
        contrast, saturation = 1 + rng.uniform(-1, 1, 2) * (self.contrast, self.saturation)
        gains = np.exp(exposure + rng.uniform(-1, 1, 3) * self.balance)
        hue = math.radians(rng.uniform(-1, 1) * self.hue_deg)
        levels = np.linspace(0.0, 1.0, 256)[:, None] ** math.exp(gamma) * gains  # (256, 3)
        levels = np.clip(MIDDLE + contrast * (levels - MIDDLE), 0.0, 1.0)
        table = np.rint(255 * levels).astype(np.uint8)[None]
        recoloured = cv2.transform(cv2.LUT(image, table), colour_matrix(saturation, hue))
        return np.asarray(recoloured, np.uint8)


LIGHT = Appearance(
    exposure=0.2, contrast=0.15, gamma=0.1, balance=0.03, saturation=0.15, hue_deg=3.0
)

ROBUST = Appearance(
    exposure=0.4,
    contrast=0.3,
    gamma=0.35,
    balance=0.12,
    saturation=0.4,
    hue_deg=8.0,
    blur_chance=0.2,
    blur_px=2.0,
    motion_chance=0.2,
    motion_px=14.0,
    noise_chance=0.4,
    noise=10.0,
    jpeg_chance=0.25,
    jpeg_quality=(25, 90),
)


def colour_matrix(
    saturation: float | NDArray[np.float64], hue: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (..., 3, 3): turns by ``hue`` radians about the grey axis, after mixes with the grey.

    Args:
        saturation: (...), 1 for the colours as they are.
        hue: (...), of the same shape or a single one.
    """
    saturation, hue = (np.asarray(value)[..., None, None] for value in (saturation, hue))
    cos, sin = np.cos(hue), np.sin(hue) / math.sqrt(3)
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    turn = cos * np.eye(3) + (1 - cos) / 3 + sin * cross
    mixed: NDArray[np.float64] = turn @ (saturation * np.eye(3) + (1 - saturation) * GREY)
    return mixed


def _blur(image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    return image if sigma < 0.2 else np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _smear(image: NDArray[np.uint8], length: float, angle: float) -> NDArray[np.uint8]:
    """Average along a line of that many pixels."""
    if length < 1.0:
        return image
    middle = math.ceil(length / 2)
    kernel = np.zeros((2 * middle + 1, 2 * middle + 1), np.uint8)
    reach = np.array([math.cos(angle), math.sin(angle)]) * length / 2
    start, end = (np.rint((middle + side * reach) * 16).astype(int).tolist() for side in (-1, 1))
    cv2.line(kernel, start, end, 255, lineType=cv2.LINE_AA, shift=4)  # in sixteenths of a pixel
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(dtype=float)), np.uint8)


def _add_noise(
    image: NDArray[np.uint8], sigma: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Add grain that the channels share, and colour noise in patches of 2x2 pixels."""
    height, width = image.shape[:2]
    grain = rng.standard_normal((height, width), np.float32) * np.float32(0.7 * sigma)
    coarse = rng.standard_normal((-(-height // 2), -(-width // 2), 3), np.float32)
    colour = cv2.resize(coarse * np.float32(sigma), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(image, colour + grain[..., None], dtype=cv2.CV_8U), np.uint8)


def _compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
