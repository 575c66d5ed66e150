"""How long errors last, from masks of clips; no labels are needed.

A pixel that goes to another class and back within a few frames was wrong meanwhile, and so was an
object that goes and comes back, or comes and goes. What takes longer is taken for a motion. Short
motions to and fro are counted too, so lengths come out rather too short than too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wristseg.policy.mask_errors import least_pixels

__all__ = ["LONGEST_FRAMES", "Lengths", "excursions", "measure_lengths", "runs_of"]

#: A third of a second at 30 Hz.
LONGEST_FRAMES = 10


@dataclass(frozen=True)
class Lengths:
    """How long errors last, frames.

    Attributes:
        excursions: (LONGEST_FRAMES,) int64, how many errors of a pixel lasted 1, 2, ... frames.
        misses: Lengths of the object's gaps.
        flashes: Lengths of the object's appearances.
    """

    excursions: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(LONGEST_FRAMES, np.int64)
    )
    misses: tuple[int, ...] = ()
    flashes: tuple[int, ...] = ()

    @property
    def flicker_frames(self) -> float:
        """Mean length of an error of a pixel; 1 where none was seen."""
        total = int(self.excursions.sum())
        if total == 0:
            return 1.0
        return float(self.excursions @ np.arange(1, LONGEST_FRAMES + 1) / total)

    @property
    def missed_frames(self) -> float:
        """Mean length of a miss; that of a pixel's error where no miss was seen."""
        return float(np.mean(self.misses)) if self.misses else self.flicker_frames

    @property
    def false_frames(self) -> float:
        """Mean length of a false object; that of a pixel's error where none was seen."""
        return float(np.mean(self.flashes)) if self.flashes else self.flicker_frames


def measure_lengths(clips: Iterable[NDArray[np.uint8]], *, object_id: int) -> Lengths:
    """Measure how long errors last.

    Args:
        clips: (T, h, w) uint8 each, class ids of a clip's frames in order.
        object_id: Class that can be missed or false, or ``NO_OBJECT``.
    """
    counts = np.zeros(LONGEST_FRAMES, np.int64)
    misses: list[int] = []
    flashes: list[int] = []
    for masks in clips:
        counts += excursions(masks)
        there = (masks == object_id).sum(axis=(1, 2)) >= least_pixels(masks.shape[1:])
        misses += runs_of(there, value=False)
        flashes += runs_of(there, value=True)
    return Lengths(counts, tuple(misses), tuple(flashes))


def excursions(masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count how often pixels go to one other class and back, by the length of their stay.

    Args:
        masks: (T, h, w) uint8, class ids in order.

    Returns:
        (LONGEST_FRAMES,) int64: stays of 1, 2, ... frames.

    >>> excursions(np.uint8([2, 2, 3, 2, 3, 3, 2]).reshape(-1, 1, 1))[:3]
    array([2, 1, 0])
    """
    counts = np.zeros(LONGEST_FRAMES, np.int64)
    for length in range(1, LONGEST_FRAMES + 1):
        if len(masks) < length + 2:
            break
        before, after = masks[: -length - 1], masks[length + 1 :]
        back = before == after
        stay = masks[1 : len(masks) - length]
        away = stay != before
        for step in range(2, length + 1):
            away &= masks[step : len(masks) - length - 1 + step] == stay
        counts[length - 1] = np.count_nonzero(back & away)
    return counts


def runs_of(there: Sequence[bool] | NDArray[np.bool_], *, value: bool) -> list[int]:
    """Return the lengths of the short runs of a value between two of the other.

    >>> runs_of([True, False, False, True, True, False], value=False)
    [2]
    """
    edges = np.flatnonzero(np.diff(np.asarray(there, np.int8)))
    found = []
    for first, last in pairwise(edges):
        if bool(there[int(first) + 1]) is value and last - first <= LONGEST_FRAMES:
            found.append(int(last - first))
    return found
