"""How far a figure would move with other recordings: the bootstrap over recordings.

Frames of one recording resemble each other, so that drawing single frames would make intervals too
narrow; whole recordings are drawn instead, with replacement (the cluster bootstrap: Davison and
Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). Where all frames are of one
recording, frames are drawn, and the result says so. The interval is that of the percentiles; with
fewer than about six recordings it is known to be too narrow (Cameron, Gelbach and Miller,
"Bootstrap-Based Improvements for Inference with Clustered Errors", 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL", "Resampling", "interval", "resample"]

#: Share of the resamples inside the interval.
LEVEL = 0.95

_RESAMPLES = 1000
#: With fewer units than this the interval is too narrow to be believed.
_ENOUGH_UNITS = 6


@dataclass(frozen=True)
class Resampling:
    """The resamples of a set of frames.

    Attributes:
        drawn: What was drawn: ``recordings`` or ``frames``.
        units: How many of them there are.
        weights: (B, N) int64, how often each frame occurs in each resample.
    """

    drawn: Literal["recordings", "frames"]
    units: int
    weights: NDArray[np.int64]

    def said(self) -> str:
        """Say in one sentence what the intervals are, for people."""
        percent = f"{LEVEL:.0%}"
        text = f"Intervals: {percent} bootstrap, {self.units} {self.drawn} drawn anew"
        text += f" {len(self.weights)} times"
        if self.drawn == "frames":
            return f"{text}; all frames are of one recording, so they say nothing about others."
        if self.units < _ENOUGH_UNITS:
            return f"{text}; with so few recordings they are rather too narrow."
        return f"{text}."


def resample(
    recordings: Sequence[str], *, seed: int = 0, resamples: int = _RESAMPLES
) -> Resampling:
    """Draw recordings with replacement, or frames where there is one recording only.

    Args:
        recordings: The recording of each frame, N >= 1.
        seed: The same seed and frames give the same draw.
        resamples: B, how many draws.
    """
    names, of_frame = np.unique(np.asarray(recordings), return_inverse=True)
    drawn: Literal["recordings", "frames"] = "recordings"
    if len(names) == 1:
        drawn, of_frame = "frames", np.arange(len(recordings))
    units = len(names) if drawn == "recordings" else len(recordings)
    draws = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), resamples)
    return Resampling(drawn, units, draws[:, of_frame].astype(np.int64))


def interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the interval that holds ``LEVEL`` of the values; None if one in ten is undefined.

    Args:
        values: (B,) float64, NaN where a resample did not define the figure.
    """
    defined = values[np.isfinite(values)]
    if len(defined) < 0.9 * len(values):
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
