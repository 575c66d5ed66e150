"""What may happen to a frame between training and the robot, in five graded severities.

In: a labelled frame. Out: the frame as another light, camera or object would have made it, and the
region that the corruption is about. The idea of fixed severities is that of Hendrycks and
Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (ICLR
2019, https://arxiv.org/abs/1903.12261); shadows, light and blur are those of a wrist camera, whose
own arm throws a shadow on the table.

Where a shadow or a patch lies, and how noise falls, depends on seed, frame and corruption only; the
severity scales its strength. So severities of one frame are the same event, only worse, and 0 is
the frame itself.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.evaluate.objects import centroid_xy

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corrupted", "Scene", "corrupt"]

SEVERITIES = (1, 2, 3, 4, 5)

#: Strengths by severity, from 0 to 5. A shadow takes away this share of the light; real ones of a
#: lamp in a lit room take half to four fifths.
_SHADOW_SHARE = (0.0, 0.25, 0.4, 0.55, 0.7, 0.8)
_STOPS = (0.0, 0.4, 0.8, 1.2, 1.6, 2.0)
_CAST = (0.0, 0.08, 0.16, 0.24, 0.32, 0.4)
_BLUR_SHARE_OF_WIDTH = (0.0, 0.008, 0.016, 0.025, 0.035, 0.05)
_JPEG_QUALITY = (None, 50, 30, 20, 12, 6)
_NOISE_SIGMA = (0.0, 5.0, 10.0, 17.0, 25.0, 35.0)
_PATCH_SHARE_OF_SIDE = (0.0, 0.1, 0.175, 0.25, 0.325, 0.4)

#: Shadows multiply light; pixels hold it to about this power.
_GAMMA = 2.2
_GREY = 128


@dataclass(frozen=True)
class Scene:
    """A labelled frame, and which classes a shadow falls on.

    Attributes:
        frame_rgb: (H, W, 3) uint8, RGB.
        label: (H, W) uint8, class ids or 255.
        table_id: Class of the table; None where there is none: shadows then fall on everything.
        object_id: Class of the object; None where there is none.
    """

    frame_rgb: NDArray[np.uint8]
    label: NDArray[np.uint8]
    table_id: int | None
    object_id: int | None


@dataclass(frozen=True)
class Corrupted:
    """A corrupted frame.

    Attributes:
        frame_rgb: (H, W, 3) uint8, RGB.
        shadowed: (H, W) bool, what lies in the shadow; None for other corruptions.
        hidden: (H, W) bool, what cannot be seen any more and must not count; None for others.
    """

    frame_rgb: NDArray[np.uint8]
    shadowed: NDArray[np.bool_] | None = None
    hidden: NDArray[np.bool_] | None = None


def corrupt(scene: Scene, name: str, severity: int, *, stem: str, seed: int = 0) -> Corrupted:
    """Corrupt a frame.

    Args:
        scene: The frame and its label.
        name: One of ``CORRUPTIONS``.
        severity: 0 (nothing) to 5.
        stem: Name of the frame, by which each frame has an event of its own.
        seed: Seed of the events.
    """
    rng = np.random.default_rng((seed, zlib.crc32(name.encode()), zlib.crc32(stem.encode())))
    return CORRUPTIONS[name](scene, severity, rng)


def _shadow_soft(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Cast the shadow of something with straight edges that is out of sight, across the object."""
    x, y = _target_xy(scene, rng)
    width = scene.label.shape[1]
    count = int(rng.integers(5, 8))
    # One corner per sector, so that the polygon lies around its middle.
    angles = 2 * math.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
    radii = rng.uniform(0.15, 0.35, count) * width
    # Moved off the object's centre by less than that: its edge runs across object and table.
    x, y = x + rng.uniform(-0.06, 0.06) * width, y + rng.uniform(-0.06, 0.06) * width
    corners = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1)
    shape = np.zeros(scene.label.shape, np.uint8)
    cv2.fillPoly(shape, [cv2.convexHull(corners.round().astype(np.int32))], 255)
    return _shade(scene, shape, 0.012 * width, severity)


def _shadow_arm(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Cast the shadow of the arm: a bar from the frame's edge to the object, with two fingers."""
    target = np.array(_target_xy(scene, rng))
    height, width = scene.label.shape
    # Towards the frame's middle, or most of the bar would lie outside.
    inwards = math.atan2(height / 2 - target[1], width / 2 - target[0])
    angle = inwards + rng.uniform(-1.0, 1.0)
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]])
    wrist = target + along * 0.12 * width
    thick = rng.uniform(0.1, 0.16) * width
    shape = np.zeros(scene.label.shape, np.uint8)
    _bar(shape, wrist, wrist + along * 2 * width, thick)
    for side in (-0.4, 0.4):
        knuckle = wrist + across * side * thick
        _bar(shape, knuckle, target - along * 0.04 * width + across * side * thick, 0.3 * thick)
    return _shade(scene, shape, 0.006 * width, severity)


def _brightness(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Expose longer or shorter, up to two stops."""
    stops = rng.choice([-1.0, 1.0]) * _STOPS[severity]
    return Corrupted(_scaled(scene.frame_rgb, np.full(3, 2 ** (stops / _GAMMA))))


def _white_balance(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Turn the light warmer or colder: red and blue change against each other."""
    cast = rng.choice([-1.0, 1.0]) * _CAST[severity]
    return Corrupted(_scaled(scene.frame_rgb, np.array([1 + cast, 1.0, 1 - cast])))


def _motion_blur(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Move the camera in a straight line while it exposes."""
    length = _BLUR_SHARE_OF_WIDTH[severity] * scene.label.shape[1]
    kernel = _line_kernel(length, rng.uniform(0, math.pi))
    return Corrupted(np.asarray(cv2.filter2D(scene.frame_rgb, -1, kernel), np.uint8))


def _line_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Return (k, k) float32, a line through the middle, shared among the pixels beside it."""
    middle = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * middle + 1, 2 * middle + 1), np.float32)
    along = np.linspace(-length / 2, length / 2, 16 * middle)
    x, y = middle + along * math.cos(angle), middle + along * math.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for row, down in ((top, top + 1 - y), (top + 1, y - top)):
        for column, across in ((left, left + 1 - x), (left + 1, x - left)):
            np.add.at(kernel, (row, column), down * across)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _jpeg(scene: Scene, severity: int, _rng: np.random.Generator) -> Corrupted:
    """Compress harder."""
    quality = _JPEG_QUALITY[severity]
    if quality is None:
        return Corrupted(scene.frame_rgb)
    buffer = io.BytesIO()
    Image.fromarray(scene.frame_rgb).save(buffer, "JPEG", quality=quality)
    return Corrupted(np.asarray(Image.open(buffer), np.uint8))


def _sensor_noise(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Add noise that grows with the light, as photons do, on a floor of the sensor's own."""
    noise = rng.standard_normal(scene.frame_rgb.shape, np.float32)
    pixels = scene.frame_rgb.astype(np.float32)
    noisy = pixels + _NOISE_SIGMA[severity] * noise * np.sqrt(0.25 + 0.75 * pixels / 255)
    return Corrupted(_bytes(noisy))


def _occlusion(scene: Scene, severity: int, rng: np.random.Generator) -> Corrupted:
    """Hold a grey square before the camera; what it hides does not count."""
    height, width = scene.label.shape
    half = _PATCH_SHARE_OF_SIDE[severity] * min(height, width) / 2
    x, y = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
    rows, columns = np.arange(height)[:, None], np.arange(width)
    hidden = (abs(rows - y) < half) & (abs(columns - x) < half)
    return Corrupted(
        np.where(hidden[..., None], np.uint8(_GREY), scene.frame_rgb), hidden=np.asarray(hidden)
    )


def _target_xy(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    """Return the object's centre; a place on the table, or anywhere, where there is none."""
    for class_id in (scene.object_id, scene.table_id):
        inside = scene.label == class_id
        if class_id is None or not inside.any():
            continue
        if class_id == scene.object_id:
            return centroid_xy(inside)
        rows, columns = np.nonzero(inside)
        pick = int(rng.integers(len(rows)))
        return float(columns[pick]), float(rows[pick])
    height, width = scene.label.shape
    return rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height


def _shade(scene: Scene, shape: NDArray[np.uint8], blur_px: float, severity: int) -> Corrupted:
    """Take light away where ``shape`` is 255, with soft edges, from table and object only.

    The fingers are above the table, and what is thrown from behind the camera misses them.
    """
    soft = cv2.GaussianBlur(shape, (0, 0), blur_px).astype(np.float32) / 255
    if scene.table_id is not None:
        # Class 0 is the gap of a pixel or two between outlines, most of it table.
        soft *= np.isin(scene.label, [0, scene.table_id, scene.object_id or 0])
    kept = (1 - _SHADOW_SHARE[severity] * soft) ** (1 / _GAMMA)
    return Corrupted(_scaled(scene.frame_rgb, kept[..., None]), shadowed=np.asarray(soft > 0.5))


def _bar(
    shape: NDArray[np.uint8], start: NDArray[np.float64], end: NDArray[np.float64], thick: float
) -> None:
    along = (end - start) / np.linalg.norm(end - start)
    side = np.array([-along[1], along[0]]) * thick / 2
    corners = np.stack([start + side, end + side, end - side, start - side])
    cv2.fillConvexPoly(shape, corners.round().astype(np.int32), 255)


def _scaled(frame_rgb: NDArray[np.uint8], factors: NDArray[np.floating]) -> NDArray[np.uint8]:
    return _bytes(frame_rgb * factors)


def _bytes(pixels: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


#: Name to function of (scene, severity, the frame's own random numbers).
CORRUPTIONS: Mapping[str, Callable[[Scene, int, np.random.Generator], Corrupted]] = {
    "shadow, soft": _shadow_soft,
    "shadow of the arm": _shadow_arm,
    "brightness": _brightness,
    "white balance": _white_balance,
    "motion blur": _motion_blur,
    "JPEG": _jpeg,
    "sensor noise": _sensor_noise,
    "occlusion": _occlusion,
}
