"""Statistics of a mask camera, by episode and over all, as LeRobot keeps them of every camera.

In: how many pixels of which class. Out: minimum, maximum, mean, deviation, count and quantiles of
the grey levels divided by 255, of three equal channels. They are exact, of all pixels, where
LeRobot samples. Called by ``lerobot.masks``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["KNOWN_STATISTICS", "ClassCounts", "statistics"]

#: What every format has; v3.0 adds quantiles, called q01 to q99.
KNOWN_STATISTICS = ("min", "max", "mean", "std", "count")

_QUANTILE = re.compile(r"q(\d\d)")


class ClassCounts:
    """Counts the pixels of each class, by episode.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._pixels: dict[int, NDArray[np.int64]] = {}
        self._frames: dict[int, int] = {}

    def add(self, episode: int, mask: NDArray[np.uint8]) -> None:
        """Count a mask, (H, W) uint8 class ids."""
        counted = np.bincount(mask.ravel(), minlength=self._classes)
        known = self._pixels.setdefault(episode, np.zeros(self._classes, np.int64))
        known += counted
        self._frames[episode] = self._frames.get(episode, 0) + 1

    @property
    def episodes(self) -> int:
        """Episodes of which a mask was counted."""
        return len(self._frames)

    def of(self, episode: int) -> tuple[NDArray[np.int64], int]:
        """Return the pixels by class, and the frames, of an episode."""
        return self._pixels[episode], self._frames[episode]

    def total(self) -> tuple[NDArray[np.int64], int]:
        """Return the same over all episodes."""
        return np.sum(list(self._pixels.values()), axis=0), sum(self._frames.values())


def statistics(
    counted: tuple[NDArray[np.int64], int], step: int, names: Iterable[str]
) -> dict[str, list[object]]:
    """Return the named statistics in LeRobot's shapes: ``count`` as [n], others as (3, 1, 1).

    Args:
        counted: Pixels by class id, and the number of frames.
        step: Grey levels from one id to the next.
        names: Statistics that are wanted; names that are not known are passed over.

    >>> statistics((np.array([3, 1]), 2), 51, ["mean", "count", "q90"])
    {'mean': [[[0.05]], [[0.05]], [[0.05]]], 'count': [2], 'q90': [[[0.2]], [[0.2]], [[0.2]]]}
    """
    pixels, frames = counted
    levels = np.arange(len(pixels)) * step / 255
    mean = float(levels @ pixels / pixels.sum())
    there = levels[pixels > 0]
    values = {
        "min": float(there[0]),
        "max": float(there[-1]),
        "mean": mean,
        "std": float(np.sqrt((levels - mean) ** 2 @ pixels / pixels.sum())),
    }
    found: dict[str, list[object]] = {}
    for name in names:
        quantile = _QUANTILE.fullmatch(name)
        if name == "count":
            found[name] = [frames]
        elif name in values:
            found[name] = [[[values[name]]]] * 3
        elif quantile:
            share = np.cumsum(pixels) / pixels.sum()
            level = levels[int(np.searchsorted(share, int(quantile[1]) / 100))]
            found[name] = [[[float(level)]]] * 3
    return found
