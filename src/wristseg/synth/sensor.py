"""What lens, sensor and JPEG do to a clean picture.

Comes in: a rendered frame. Goes out: the frame as a cheap wrist camera would give it. Called by
``worker``; only ``bend`` changes geometry, and it is applied to the id pictures as well.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.synth.look import SensorLook

__all__ = ["bend", "encode_jpeg", "expose"]

#: Blur lengths are given for this height and scale with the picture.
_REFERENCE_HEIGHT = 480
#: Width of the rims that a camera's sharpening leaves.
_SHARPEN_PX = 1.6


def bend(picture: NDArray[np.uint8], barrel: float, *, smooth: bool) -> NDArray[np.uint8]:
    """Apply a wide lens's radial distortion; the corners stay where they are.

    Args:
        picture: (H, W) or (H, W, 3) uint8.
        barrel: Strength; 0 returns the picture itself.
        smooth: Interpolate colours; class ids are picked instead.

    Returns:
        The same shape and type.
    """
    if barrel == 0.0:
        return picture
    height, width = picture.shape[:2]
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    radius = float(np.hypot(center_x, center_y))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - center_x) / radius, (y - center_y) / radius
    factor = (1 + barrel * (x * x + y * y)) / (1 + barrel)
    map_x = (x * factor * radius + center_x).astype(np.float32)
    map_y = (y * factor * radius + center_y).astype(np.float32)
    how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    bent = cv2.remap(picture, map_x, map_y, how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, np.uint8)


def expose(
    frame_rgb: NDArray[np.uint8], look: SensorLook, *, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Blur, light, colour and noise of a camera.

    Args:
        frame_rgb: (H, W, 3) uint8, RGB, as rendered.
        look: The camera's character.
        rng: Source of the noise.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    scale = frame_rgb.shape[0] / _REFERENCE_HEIGHT
    picture = frame_rgb.astype(np.float32) / 255.0
    picture = _smear(picture, look.motion_px * scale, look.motion_angle)
    if look.blur_px * scale > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), look.blur_px * scale)
    gain = look.exposure * _automatic_gain(picture, look.auto_exposure)
    picture = picture * (np.asarray(look.white_balance, np.float32) * np.float32(gain))
    picture = picture * _vignette(frame_rgb.shape[:2], look.vignette)[..., None]
    picture = _tone(picture, look)
    noisy = picture + _noise(picture, look.noise / 255.0, rng)
    if look.sharpen > 0.0:
        soft = cv2.GaussianBlur(noisy, (0, 0), _SHARPEN_PX * scale)
        noisy = noisy + np.float32(look.sharpen) * (noisy - soft)
    return np.asarray(np.clip(noisy, 0.0, 1.0) * 255 + 0.5, np.uint8)


def encode_jpeg(frame_rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Encode as JPEG with 4:2:0 colour, the form that video grabs have."""
    buffer = io.BytesIO()
    picture = Image.fromarray(frame_rgb)
    picture.save(buffer, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return buffer.getvalue()


def _automatic_gain(picture: NDArray[np.float32], wanted: float | None) -> float:
    # Cheap cameras brighten a dark scene up to four times and no further.
    return 1.0 if wanted is None else float(np.clip(wanted / (picture.mean() + 1e-3), 0.5, 4.0))


def _smear(picture: NDArray[np.float32], length: float, angle: float) -> NDArray[np.float32]:
    if length < 1.0:
        return picture
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel, middle = np.zeros((side, side), np.float32), side // 2
    reach = np.linspace(-length / 2, length / 2, 8 * side)
    columns = np.round(middle + reach * np.cos(angle)).astype(int)
    rows = np.round(middle + reach * np.sin(angle)).astype(int)
    np.add.at(kernel, (rows, columns), 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)


def _vignette(size_hw: tuple[int, int], loss: float) -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : size_hw[0] * 1j, -1 : 1 : size_hw[1] * 1j]
    return np.asarray(1.0 - loss * ((x * x + y * y) / 2) ** 1.3, np.float32)


def _tone(picture: NDArray[np.float32], look: SensorLook) -> NDArray[np.float32]:
    """Saturation, then an S-curve around mid-grey with a soft shoulder into white."""
    grey = picture.mean(axis=2, keepdims=True)
    picture = np.maximum(grey + look.saturation * (picture - grey), 0.0)
    picture = 0.45 + look.contrast * (picture - 0.45)
    shoulder = np.maximum(picture - 0.8, 0.0)
    rolled = np.minimum(picture, 0.8) + 0.2 * (1.0 - np.exp(-shoulder / 0.2))
    return np.asarray(np.clip(rolled, 0.0, 1.0), np.float32)


def _noise(
    picture: NDArray[np.float32], sigma: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Grain that grows with the light's square root, partly shared by the channels."""
    shape = picture.shape
    shared = rng.standard_normal(shape[:2], np.float32)[..., None]
    # Demosaicking spreads colour noise over neighbours.
    color = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), 0.9)
    strength = np.sqrt(0.15 + picture.mean(axis=2, keepdims=True)) / np.sqrt(0.65)
    return np.asarray(sigma * strength * (0.7 * shared + 1.2 * color), np.float32)
