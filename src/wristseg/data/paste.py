"""Copy-paste: the cube of one training frame put on the table of another.

Few recordings show the object in few places and on few tables. An object that stands free in one
frame is cut out by its label, matched to the other table's light and set down where only table is,
with a contact shadow; its label goes with it. It never covers a finger, and fingers are not copied:
with a fixed mount they are always where they are. After https://arxiv.org/abs/2012.07177, but in
places that make sense, not in any. Called by ``data.frames``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable

__all__ = ["Paster"]

_OBJECT, _GROUND = "cube", "table"

#: Smallest object that is copied, as a share of the frame's pixels.
_LEAST_SHARE = 0.001
_TRIES = 8
_SCALE, _ANGLE_DEG = (0.85, 1.15), 10.0
#: How far from its own height in the frame an object is put, as a share of the frame's height: one
#: that is further up is further away, and would have to be smaller.
_MOST_SHIFT = 0.12
#: Share of the place that must be labelled as table; outlines are a pixel or two off.
_CLEAR = 0.99
_GAIN = (0.6, 1.6)
_CONTACT_DARKNESS = (0.1, 0.45)

_Frame = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class _Cutout:
    """An object that stands free, with a margin around it.

    Attributes:
        image: (h, w, 3) uint8.
        inside: (h, w) uint8, 255 on the object and 0 elsewhere.
        centre_y: Row of its middle in the frame it is from.
        table_level: (3,) mean colour of the table around it.
    """

    image: NDArray[np.uint8]
    inside: NDArray[np.uint8]
    centre_y: float
    table_level: NDArray[np.float64]


@dataclass(frozen=True)
class Paster:
    """Pastes an object into a share of the frames.

    Attributes:
        chance: Share of the frames, 0 to 1; one without a free place stays as it is.
        object_id: Class of what is copied.
        ground_id: Class of where it is put.
        cutouts: What there is to copy.
    """

    chance: float
    object_id: int
    ground_id: int
    cutouts: tuple[_Cutout, ...]

    @classmethod
    def of_frames(cls, frames: Iterable[_Frame], classes: ClassTable, chance: float) -> Self | None:
        """Cut out what stands free in these frames; None where nothing does.

        Args:
            frames: Images (H, W, 3) and class ids (H, W), uint8, of one size.
            classes: Table in which the object is called cube and the ground table.
            chance: Share of the frames to paste into.
        """
        object_id, ground_id = classes.id_of(_OBJECT), classes.id_of(_GROUND)
        if object_id is None or ground_id is None:
            return None
        found = (_cut_out(image, mask, object_id, ground_id) for image, mask in frames)
        cutouts = tuple(cutout for cutout in found if cutout is not None)
        return cls(chance, object_id, ground_id, cutouts) if cutouts else None

    def paste(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], *, rng: np.random.Generator
    ) -> _Frame:
        """Return the frame with an object more, or the frame itself.

        Args:
            image: (H, W, 3) uint8; not written into.
            mask: (H, W) uint8, class ids or 255; not written into.
            rng: Source of chance.

        Returns:
            Image and mask of the same sizes. Labels change only from table to the object.
        """
        if rng.random() >= self.chance:
            return image, mask
        for _ in range(_TRIES):
            cutout = self.cutouts[rng.integers(len(self.cutouts))]
            patch, inside = _turn(cutout, rng)
            place = _draw_place(rng, mask.shape, inside.shape, cutout.centre_y)
            if place is not None and self._is_clear(mask[place], inside):
                image, mask = image.copy(), mask.copy()
                patch = _match_light(patch, cutout, image[place], mask[place] == self.ground_id)
                image[place] = _set_down(image[place], patch, inside, rng)
                mask[place][inside > 127] = self.object_id
                return image, mask
        return image, mask

    def _is_clear(self, labels: NDArray[np.uint8], inside: NDArray[np.uint8]) -> bool:
        below = labels[inside > 127]
        others = (below != self.ground_id) & (below != 0)  # 0: a gap between outlines
        return not others.any() and bool(np.mean(below == self.ground_id) >= _CLEAR)


def _cut_out(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], object_id: int, ground_id: int
) -> _Cutout | None:
    """Cut the object out if it is whole, in one piece, and has nothing but table around it."""
    of_object = (mask == object_id).astype(np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(of_object)
    if len(stats) < 2:
        return None
    number = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    left, top, width, height, area = (int(value) for value in stats[number])
    margin = math.ceil(0.4 * max(width, height))
    rows = slice(top - margin, top + height + margin)
    columns = slice(left - margin, left + width + margin)
    inside_frame = min(rows.start, columns.start) >= 0 and (
        rows.stop <= mask.shape[0] and columns.stop <= mask.shape[1]
    )
    if not inside_frame or area < _LEAST_SHARE * mask.size:
        return None
    inside = np.where(pieces[rows, columns] == number, 255, 0).astype(np.uint8)
    reach = max(3, 2 * (margin // 4) + 1)
    near = cv2.dilate(inside, np.ones((reach, reach), np.uint8)) > 0
    around = mask[rows, columns][near & (inside == 0)]
    ground = (mask[rows, columns] == ground_id) & (inside == 0)
    if not np.isin(around, (ground_id, 0)).all() or not ground.any():
        return None
    level = image[rows, columns][ground].mean(axis=0)
    return _Cutout(image[rows, columns].copy(), inside, top + height / 2, level)


def _turn(cutout: _Cutout, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the object a little larger or smaller, turned, perhaps mirrored; the margin stays."""
    height, width = cutout.inside.shape
    scale, angle = rng.uniform(*_SCALE), rng.uniform(-_ANGLE_DEG, _ANGLE_DEG)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
    step = -1 if rng.random() < 0.5 else 1
    patch, inside = (
        cv2.warpAffine(
            np.ascontiguousarray(plane[:, ::step]),
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=border,
        )
        for plane, border in (
            (cutout.image, cv2.BORDER_REPLICATE),
            (cutout.inside, cv2.BORDER_CONSTANT),
        )
    )
    return np.asarray(patch, np.uint8), np.asarray(inside, np.uint8)


def _draw_place(
    rng: np.random.Generator, frame_hw: tuple[int, ...], patch_hw: tuple[int, ...], centre_y: float
) -> tuple[slice, slice] | None:
    """Return rows and columns for a patch, near the height in the frame that it comes from."""
    height, width = frame_hw
    patch_height, patch_width = patch_hw
    shift = rng.uniform(-_MOST_SHIFT, _MOST_SHIFT) * height
    top = round(centre_y + shift - patch_height / 2)
    left = int(rng.integers(width - patch_width + 1))
    if not 0 <= top <= height - patch_height:
        return None
    return slice(top, top + patch_height), slice(left, left + patch_width)


def _match_light(
    patch: NDArray[np.uint8],
    cutout: _Cutout,
    place: NDArray[np.uint8],
    ground: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Scale a patch by how bright the table is here and where it comes from.

    One factor for all channels: tables differ in colour because of their wood, not of the lamp.
    """
    gain = float(place[ground].mean()) / max(float(cutout.table_level.mean()), 1.0)
    return np.asarray(cv2.convertScaleAbs(patch, alpha=float(np.clip(gain, *_GAIN))), np.uint8)


def _set_down(
    place: NDArray[np.uint8],
    patch: NDArray[np.uint8],
    inside: NDArray[np.uint8],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return the place with a contact shadow and the object over it, its edge one pixel soft."""
    size = float(np.sqrt(np.count_nonzero(inside > 127)))
    offset = rng.uniform(-0.15, 0.15, 2) * size
    moved = np.array([[1.0, 0.0, offset[0]], [0.0, 1.0, offset[1]]])
    shade = cv2.warpAffine(inside, moved, inside.shape[::-1])
    shade = cv2.GaussianBlur(shade, (0, 0), max(0.5, 0.08 * size)) / np.float32(255)
    darkness = np.float32(rng.uniform(*_CONTACT_DARKNESS))
    over = cv2.GaussianBlur(inside, (0, 0), 0.6) / np.float32(255)
    shaded = place * (1 - darkness * shade)[..., None]
    mixed = shaded + over[..., None] * (patch - shaded)
    return np.asarray(np.rint(mixed), np.uint8)
