"""Augmentation of uint8 frames and their masks, drawn anew for each frame and epoch.

Crop, flips and rotation are composed into one affine warp, so that a frame is interpolated once;
image (bilinear) and mask (nearest) go through the same matrix. Shadows are cast after it, and what
light and camera change (``data.appearance``) comes last. Called by ``data.frames``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX
from wristseg.data.appearance import LIGHT, ROBUST, Appearance
from wristseg.data.shadows import Shadows

__all__ = ["Geometry", "Recipe", "apply_geometry", "augment", "recipe_for"]

Recipe = Literal["none", "flips", "full", "light", "robust"]


@dataclass(frozen=True)
class _Warp:
    """Chances and ranges of a recipe's geometry.

    Attributes:
        flip_chance: Of mirroring left and right, and of mirroring top and bottom.
        crop_chance: Of keeping a part of the frame only.
        crop_scale: Smallest and largest share of the frame's area that is kept.
        crop_ratio: Narrowest and widest ratio of sides, relative to the frame's own.
        rotation_chance: Of a rotation.
        rotation_deg: Largest angle to either side.
    """

    flip_chance: float = 0.0
    crop_chance: float = 0.0
    crop_scale: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (1.0, 1.0)
    rotation_chance: float = 0.0
    rotation_deg: float = 0.0


#: flips and full are the request's, for 84x84 and 640x480. light and robust do not mirror: with a
#: fixed mount the static finger is always on one side, and which one tells it from the moving one.
_WARPS = {
    "flips": _Warp(flip_chance=0.5),
    "full": _Warp(0.5, 0.7, (0.7, 1.0), (0.9, 1.1), 0.5, 15.0),
    "light": _Warp(0.0, 0.5, (0.88, 1.0), (0.97, 1.03), 0.3, 3.0),
    "robust": _Warp(0.0, 0.6, (0.75, 1.0), (0.94, 1.06), 0.5, 6.0),
}
_APPEARANCES: dict[Recipe, Appearance] = {"light": LIGHT, "robust": ROBUST}

#: The request's colours and blur for 640x480.
_JITTER, _JITTER_HUE = 0.3, 0.1
_BLUR_CHANCE, _BLUR_SIGMA, _BLUR_SIDE = 0.3, (0.1, 2.0), 5

_FULL_FROM_HEIGHT = 224

#: Weights of red, green and blue in grey (ITU-R BT.601), which contrast and saturation refer to.
_GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of an augmented frame come from.

    Attributes:
        crop_tlhw: Top, left, height and width of the part of the frame that is kept, pixels.
        flip_horizontal: Mirror left and right.
        flip_vertical: Mirror top and bottom.
        angle_deg: Counter-clockwise rotation about the middle of the result.
    """

    crop_tlhw: tuple[int, int, int, int]
    flip_horizontal: bool = False
    flip_vertical: bool = False
    angle_deg: float = 0.0


def recipe_for(
    choice: Literal["auto", "none", "flips", "full", "light", "robust"], size_hw: tuple[int, int]
) -> Recipe:
    """Return the recipe that ``--augment`` means at a network input of this size."""
    if choice != "auto":
        return choice
    return "full" if size_hw[0] >= _FULL_FROM_HEIGHT else "flips"


def augment(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    *,
    recipe: Recipe,
    rng: np.random.Generator,
    shadows: Shadows | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an augmented copy of a frame and its mask; the size stays.

    Args:
        image: (H, W, 3) uint8, RGB.
        mask: (H, W) uint8, class ids or 255.
        recipe: ``none``, ``flips`` (both, 50 % each), ``full`` (flips, crop, rotation, colour,
            blur), ``light`` (small crops, rotations and changes of colour) or ``robust`` (larger
            ones, and blur, noise, JPEG).
        rng: Source of chance; the same state gives the same result. Shadows have a branch of their
            own, so that what else is drawn does not depend on them.
        shadows: What casts shadows, or None.

    Returns:
        The image, (H, W, 3) uint8, and the mask, (H, W) uint8, where pixels from outside the frame
        are black and 255: nobody labelled them, so they must not teach that black is a class.
    """
    if recipe in _WARPS:
        geometry = _draw_geometry(rng, (mask.shape[0], mask.shape[1]), _WARPS[recipe])
        image, mask = apply_geometry(image, mask, geometry)
    if shadows is not None:
        image = shadows.cast(image, mask, rng=rng.spawn(1)[0])
    if recipe in _APPEARANCES:
        image = _APPEARANCES[recipe].change(image, rng=rng)
    elif recipe == "full":
        image = _blur(_jitter_colors(image, rng), rng)
    return image, mask


def apply_geometry(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    geometry: Geometry,
    *,
    size_hw: tuple[int, int] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Crop, flip and rotate a frame and its mask together.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) uint8.
        geometry: What to do.
        size_hw: Size of the result; that of the frame where not given.

    Returns:
        Image (h, w, 3) and mask (h, w), uint8. Without rotation and change of size no pixel is
        interpolated.
    """
    height, width = size_hw or mask.shape
    top, left, crop_height, crop_width = geometry.crop_tlhw
    if (crop_height, crop_width) == (height, width) and geometry.angle_deg == 0.0:
        window = np.s_[top : top + height, left : left + width]
        steps = np.s_[
            :: -1 if geometry.flip_vertical else 1, :: -1 if geometry.flip_horizontal else 1
        ]
        return image[window][steps], mask[window][steps]
    matrix = _source_matrix(geometry, (height, width))
    flags = cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR | flags)
    warped_mask = cv2.warpAffine(
        mask, matrix, (width, height), flags=cv2.INTER_NEAREST | flags, borderValue=IGNORE_INDEX
    )
    return np.asarray(warped, np.uint8), np.asarray(warped_mask, np.uint8)


def _source_matrix(geometry: Geometry, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return the (2, 3) matrix from pixel centres (x, y) of the result to those of the frame."""
    height, width = size_hw
    top, left, crop_height, crop_width = geometry.crop_tlhw
    angle = math.radians(geometry.angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    to_centre = _affine(1.0, 0.0, 0.5 - width / 2, 0.0, 1.0, 0.5 - height / 2)
    rotate = _affine(cos, -sin, 0.0, sin, cos, 0.0)
    scale_x = crop_width / width * (-1 if geometry.flip_horizontal else 1)
    scale_y = crop_height / height * (-1 if geometry.flip_vertical else 1)
    scale = _affine(scale_x, 0.0, 0.0, 0.0, scale_y, 0.0)
    # OpenCV counts from the middle of the first pixel, hence the halves.
    to_crop = _affine(1.0, 0.0, left + crop_width / 2 - 0.5, 0.0, 1.0, top + crop_height / 2 - 0.5)
    return (to_crop @ scale @ rotate @ to_centre)[:2]


def _affine(*two_rows: float) -> NDArray[np.float64]:
    return np.array([two_rows[:3], two_rows[3:], (0.0, 0.0, 1.0)])


def _draw_geometry(rng: np.random.Generator, frame_hw: tuple[int, int], warp: _Warp) -> Geometry:
    flip_horizontal, flip_vertical = rng.random(2) < warp.flip_chance
    crop, angle = (0, 0, *frame_hw), 0.0
    if rng.random() < warp.crop_chance:
        crop = _draw_crop(rng, frame_hw, warp)
    if rng.random() < warp.rotation_chance:
        angle = float(rng.uniform(-warp.rotation_deg, warp.rotation_deg))
    return Geometry(crop, bool(flip_horizontal), bool(flip_vertical), angle)


def _draw_crop(
    rng: np.random.Generator, frame_hw: tuple[int, int], warp: _Warp
) -> tuple[int, int, int, int]:
    """Draw a crop by torchvision's rule, with the ratio taken relative to the frame's own.

    A ratio of 0.9-1.1 in pixels would cut near-squares from a 640x480 frame and stretch them by a
    third, which no frame at prediction time is.
    """
    height, width = frame_hw
    low, high = np.log(warp.crop_ratio)
    for _ in range(10):
        scale, ratio = rng.uniform(*warp.crop_scale), math.exp(rng.uniform(low, high))
        crop_height = round(height * math.sqrt(scale / ratio))
        crop_width = round(width * math.sqrt(scale * ratio))
        if crop_height <= height and crop_width <= width:
            top = int(rng.integers(height - crop_height + 1))
            left = int(rng.integers(width - crop_width + 1))
            return top, left, crop_height, crop_width
    return 0, 0, height, width


def _jitter_colors(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change brightness, contrast and saturation by up to 30 %, hue by up to 10 % of its circle."""
    brightness, contrast, saturation = rng.uniform(1 - _JITTER, 1 + _JITTER, size=3)
    hue_shift = round(rng.uniform(-_JITTER_HUE, _JITTER_HUE) * 180)  # OpenCV's hue: 0-179
    mean_grey = float(np.dot(cv2.mean(image)[:3], _GREY)) * brightness
    # Each step mixes a pixel linearly with its grey, the mean grey or black: one 3x4 matrix.
    mixing = saturation * np.eye(3) + (1 - saturation) * _GREY
    matrix = np.column_stack(
        [brightness * contrast * mixing, np.full(3, (1 - contrast) * mean_grey)]
    )
    jittered = cv2.transform(image, matrix)
    if hue_shift != 0:
        hsv = cv2.cvtColor(jittered, cv2.COLOR_RGB2HSV)
        table = (np.arange(256) + hue_shift) % 180
        hsv[..., 0] = cv2.LUT(hsv[..., 0], table.astype(np.uint8))
        jittered = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.asarray(jittered, np.uint8)


def _blur(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur three frames in ten."""
    if rng.random() >= _BLUR_CHANCE:
        return image
    sigma = rng.uniform(*_BLUR_SIGMA)
    return np.asarray(cv2.GaussianBlur(image, (_BLUR_SIDE, _BLUR_SIDE), sigma), np.uint8)
