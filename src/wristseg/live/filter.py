"""Steady masks over time: a change of class has to be seen twice, or be seen to move.

The graph on a robot gives class ids, no scores, so scores cannot be averaged; this is hysteresis on
ids. Per pixel, a new class counts at once where the picture changed there since the frame before
(an edge that moves), and otherwise when it came in two frames running (a model that hesitates).

What it costs: where the picture stands still a true change is one frame late; where it moves,
nothing. What it brings was measured on clips (``scripts/measure_filter.py``, docs/experiments.md):
without the look at the picture no pixel flickers at all, but a cube that moves is 4 px behind;
filling small regions brought no steadiness and takes longer than the 84x84 network, so it is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FilterSettings", "TemporalFilter"]

_BLUR = (5, 5)


@dataclass(frozen=True)
class FilterSettings:
    """Settings of ``TemporalFilter``.

    Attributes:
        moved: Grey values (0-255) that a pixel has to change by to count as moving; None for
            never, so that every change has to be seen twice.
        least_area: Regions below this share of the frame are filled from around them; 0 for none.
    """

    moved: float | None = 10.0
    least_area: float = 0.0


class TemporalFilter:
    """Filters masks that are given to it in order.

    Args:
        settings: See there.
    """

    #: Frames by which a true change may come later than without the filter.
    delay_frames = 1

    def __init__(self, settings: FilterSettings | None = None) -> None:
        self._settings = settings or FilterSettings()
        self._given: NDArray[np.uint8] | None = None
        self._shown: NDArray[np.uint8] | None = None
        self._grey: NDArray[np.uint8] | None = None

    def apply(self, frame_bgr: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mask to show for this frame.

        Args:
            frame_bgr: (H, W, 3) uint8, BGR.
            mask: (H, W) uint8, class ids; a new size begins anew.

        Returns:
            (H, W) uint8, class ids, in memory of its own.
        """
        mask = self._without_specks(mask)
        settled = self._settled(frame_bgr, mask)
        shown = mask.copy()
        if settled is not None and self._shown is not None:
            cv2.copyTo(self._shown, cv2.bitwise_not(settled), shown)
        self._given, self._shown = mask, shown
        return shown.copy()

    def _settled(
        self, frame_bgr: NDArray[np.uint8], mask: NDArray[np.uint8]
    ) -> NDArray[np.uint8] | None:
        """Return (H, W) uint8, 255 where the class may be shown; None for the first frame."""
        given, grey = self._given, self._grey
        if self._settings.moved is not None:
            self._grey = _soft_grey(frame_bgr)
        if given is None or given.shape != mask.shape:
            return None
        settled = np.asarray(cv2.compare(mask, given, cv2.CMP_EQ), np.uint8)
        if grey is not None and self._grey is not None and self._settings.moved is not None:
            change = cv2.absdiff(self._grey, grey)
            cv2.bitwise_or(settled, cv2.compare(change, self._settings.moved, cv2.CMP_GT), settled)
        return settled

    def _without_specks(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        least = round(self._settings.least_area * mask.size)
        return fill_specks(mask, least_pixels=least) if least > 1 else mask


def fill_specks(mask: NDArray[np.uint8], *, least_pixels: int) -> NDArray[np.uint8]:
    """Give regions of fewer than ``least_pixels`` the class that most of their border has.

    Args:
        mask: (H, W) uint8, class ids.
        least_pixels: Regions of so many pixels stay.

    Returns:
        (H, W) uint8, class ids, in memory of its own.

    >>> fill_specks(np.array([[2, 2, 2], [2, 3, 2], [2, 2, 2]], np.uint8), least_pixels=2)
    array([[2, 2, 2],
           [2, 2, 2],
           [2, 2, 2]], dtype=uint8)
    """
    filled = mask.copy()
    for class_id in np.flatnonzero(np.bincount(mask.ravel())):
        inside = np.asarray(cv2.compare(mask, float(class_id), cv2.CMP_EQ), np.uint8)
        count, regions, facts, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        for number in range(1, count):
            if facts[number, cv2.CC_STAT_AREA] < least_pixels:
                _fill(filled, mask, regions, number, facts[number])
    return filled


def _fill(
    filled: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    regions: NDArray[np.int32],
    number: int,
    facts: NDArray[np.int32],
) -> None:
    left, top, width, height = (int(value) for value in facts[:4])
    box = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
    inside = (regions[box] == number).astype(np.uint8)
    border = (cv2.dilate(inside, np.ones((3, 3), np.uint8)) > inside).astype(bool)
    if border.any():
        filled[box][inside.astype(bool)] = np.bincount(mask[box][border]).argmax()


def _soft_grey(frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W) uint8; blurred, so that a sensor's noise is no motion."""
    grey = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.blur(grey, _BLUR), np.uint8)
