"""Clean masks, a model that knows the truth but for its blur, and ways to spoil labels."""

from __future__ import annotations

import cv2
import numpy as np

BACKGROUND, TABLE, CUBE, STATIC, MOVING = range(1, 6)
NAMES = ("unlabeled", "background", "table", "cube", "static_finger", "moving_finger")
SIZE = 84


def true_masks(count=16, seed=0):
    """Scenes of a table, a cube that moves about, and two fingers; (84, 84) uint8 each."""
    rng = np.random.default_rng(seed)
    return [true_mask(*rng.integers(0, 12, 3)) for _ in range(count)]


def true_mask(right=4, down=4, apart=4):
    """One scene; the numbers, 0 to 11, move the cube and the fingers."""
    mask = np.full((SIZE, SIZE), BACKGROUND, np.uint8)
    mask[28:] = TABLE
    mask[34 + down : 46 + down, 32 + right : 44 + right] = CUBE
    mask[54:, 10 + apart : 20 + apart] = MOVING
    mask[54:, 62 - apart : 74 - apart] = STATIC
    return mask


def probabilities(mask, *, seed=0, blur=1.5):
    """What a model makes of a scene: the truth, its edges blurred, with a little noise."""
    ids = np.arange(len(NAMES))[:, None, None]
    sharp = (mask[None] == ids).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(plane, (0, 0), blur) for plane in sharp])
    soft += np.random.default_rng(seed).uniform(0, 0.02, soft.shape).astype(np.float32)
    return (soft / soft.sum(axis=0)).astype(np.float32)


def swapped(mask, one, other):
    spoilt = mask.copy()
    spoilt[mask == one], spoilt[mask == other] = other, one
    return spoilt


def called(mask, one, other):
    return np.where(mask == one, other, mask).astype(np.uint8)


def shifted(mask, class_id, *, right, down):
    """One class drawn beside itself."""
    inside = np.roll(mask == class_id, (down, right), axis=(0, 1))
    spoilt = called(mask, class_id, TABLE)
    spoilt[inside] = class_id
    return spoilt


def all_shifted(mask, *, right=8, down=-6):
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(
        mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )


def boxed(mask, class_id):
    """A box far larger than the thing."""
    rows, columns = np.nonzero(mask == class_id)
    spoilt = mask.copy()
    spoilt[rows.min() - 12 :, columns.min() - 8 : columns.max() + 5] = class_id
    return spoilt
