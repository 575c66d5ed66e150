"""Masks as pictures: class colours and blends, for previews, reports and videos."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable

__all__ = ["blend", "colorize"]


def colorize(mask: NDArray[np.uint8], classes: ClassTable) -> NDArray[np.uint8]:
    """Turn class ids into class colours; ignored pixels become mid-grey.

    Args:
        mask: (H, W) uint8, class ids or 255.
        classes: The table whose colours are used.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    return classes.palette_rgb()[mask]


def blend(
    frame_rgb: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    classes: ClassTable,
    *,
    alpha: float = 0.5,
) -> NDArray[np.uint8]:
    """Lay class colours over a frame; pixels of class 0 keep the frame.

    Args:
        frame_rgb: (H, W, 3) uint8, RGB.
        mask: (H, W) uint8, class ids, of the frame's size.
        classes: The table whose colours are used.
        alpha: Share of the colour, 0 (frame only) to 1 (colour only).

    Returns:
        (H, W, 3) uint8, RGB.
    """
    mixed = cv2.addWeighted(frame_rgb, 1.0 - alpha, colorize(mask, classes), alpha, 0.0)
    return np.where(mask[..., None] == 0, frame_rgb, mixed).astype(np.uint8, copy=False)
