"""Choose frames that differ: small blurred colour thumbnails, and the farthest of them.

Neighbouring frames of a video teach a model nothing new, and labelling them takes as long as
labelling any others. Thumbnails need no network and a millisecond each. Farthest-point
choice: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"; as core-set
choice for labelling https://arxiv.org/abs/1708.00489. Called by ``sample`` and ``suggest``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR_DUPLICATE", "distances", "farthest_first", "thumbnail"]

#: Frames nearer than this show the same: see ``distances`` for the unit. On data/clips neighbours
#: are 0.001 (at rest) to 0.03 apart, half of them 0.012 or less; 40 of 120 frames remain.
NEAR_DUPLICATE = 0.02

_SIZE_WH = (32, 24)
_BLUR_SIGMA = 1.0


def thumbnail(frame_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what a frame looks like from afar: noise is averaged away, places and colours stay.

    Args:
        frame_rgb: (H, W, 3) uint8, RGB.

    Returns:
        (2304,) float32, colours of 32x24 blurred pixels, 0 to 1.
    """
    small = cv2.resize(frame_rgb, _SIZE_WH, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), _BLUR_SIGMA)
    return np.asarray(blurred, np.float32).ravel()


def distances(features: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far each of (N, D) features is from one of (D,).

    Returns:
        (N,) float32, root mean square difference: of thumbnails, in shares of full brightness.

    >>> distances(np.array([[0, 0], [1, 0]], np.float32), np.zeros(2, np.float32)).round(3).tolist()
    [0.0, 0.7070000171661377]
    """
    return np.asarray(np.sqrt(np.mean((features - one) ** 2, axis=1)), np.float32)


def farthest_first(
    features: NDArray[np.float32], count: int, *, least: float = NEAR_DUPLICATE
) -> list[int]:
    """Choose places so that each is as far as possible from those before it.

    Args:
        features: (N, D) float32.
        count: Most places to choose.
        least: Stop when every other place is nearer than this to a chosen one.

    Returns:
        Places in the order they were chosen: first the one nearest to the mean of all, since the
        most usual frame teaches more than the oddest.

    >>> line = np.array([[0.0], [0.5], [0.51], [1.0], [0.0]], np.float32)
    >>> farthest_first(line, 5)
    [1, 0, 3]
    """
    if len(features) == 0 or count < 1:
        return []
    chosen = [int(distances(features, features.mean(axis=0)).argmin())]
    nearest = distances(features, features[chosen[0]])
    while len(chosen) < count and nearest.max() >= least:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances(features, features[chosen[-1]]))
    return chosen
