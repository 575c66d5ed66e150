"""What is usual elsewhere: the other frames that a frame of ``wristseg qa`` is compared with.

In: what ``qa_measure`` counted on all frames, and their looks. Out: for one frame, what a number is
in the other frames of its recording, which the same model judges under the same light, and in those
that look most like it. Called by ``qa_judge``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.labeling.diversity import distances
from wristseg.labeling.qa_measure import Measured

__all__ = ["AllFrames", "Elsewhere", "Usual"]

#: Fewer other frames of its recording than this say nothing about what is usual there.
_FEW = 5
#: So many frames that look alike are asked how usual something is there.
_ALIKE = 5
#: As bad as this quantile of them is usual: two of five, since a stretch of frames has two ends.
_ALIKE_QUANTILE = 0.75
#: From the median deviation to the standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826
#: Values that differ by less than this are the same, however alike the other frames are.
_LEAST_SIGMA = 0.03
#: Deviations from the usual at which a surprise is a half, and per factor e of its odds.
_HALF_Z, _STEP_Z = 4.0, 0.8


@dataclass(frozen=True)
class Usual:
    """What a number, the larger the worse, is in other frames.

    Attributes:
        value: What is not worse than usual.
        sigma: How far it spreads.
    """

    value: float
    sigma: float

    def surprise(self, found: float) -> float:
        """Turn how much worse than usual a number is into 0 to 1: a half at four deviations."""
        deviations = (found - self.value) / self.sigma
        return float(1.0 / (1.0 + np.exp((_HALF_Z - deviations) / _STEP_Z)))


class AllFrames:
    """The numbers of all frames, one row each; NaN where a frame has none.

    Args:
        measured: What was counted on each.
        recordings: Recording of each.
        looks: (N, D) float32, their thumbnails.
    """

    def __init__(
        self, measured: Sequence[Measured], recordings: Sequence[str], looks: NDArray[np.float32]
    ) -> None:
        self._recordings, self._looks = np.array(recordings), looks
        #: (N, C), IoU of each class.
        self.iou = np.stack([m.iou for m in measured])
        #: (N, C, C), what the model makes of each labelled class.
        self.shares = np.stack([m.shares for m in measured])
        #: (N, C), labelled pixels of each class.
        self.labelled = np.stack([m.labelled for m in measured]).astype(np.float64)
        self.labelled[self.labelled == 0] = np.nan
        #: (N, C), pixels times confidence of the largest predicted region that is not labelled.
        self.unlabelled = np.stack([_largest(m) for m in measured])
        #: (N,), gain of the best other draw order.
        self.gains = np.array([max((o.gain for o in m.orders), default=np.nan) for m in measured])

    def __len__(self) -> int:
        return len(self._recordings)

    def around(self, number: int) -> Elsewhere:
        """Return all frames as one of them sees the others."""
        away = distances(self._looks, self._looks[number])
        others = np.argsort(away, kind="stable")
        others = others[others != number]
        own = self._recordings[others] == self._recordings[number]
        return Elsewhere(self, others, own)


class Elsewhere:
    """The other frames, those that look most like one first.

    Args:
        frames: All frames.
        others: (N - 1,) int64, their places in order.
        own: (N - 1,) bool, which of them are of the frame's recording.
    """

    def __init__(
        self, frames: AllFrames, others: NDArray[np.int64], own: NDArray[np.bool_]
    ) -> None:
        self.frames = frames
        self._others, self._own = others, own

    def values(self, all_values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what (N,) values are in the other frames, the most alike first.

        Those of the same recording, where enough of them have a value; else those of all frames.
        """
        values = all_values[self._others]
        known = np.isfinite(values)
        own = known & self._own
        return values[own if own.sum() >= _FEW else known]

    def usual(self, all_faults: NDArray[np.float64]) -> Usual | None:
        """Return what (N,) numbers, the larger the worse, usually are in the other frames.

        The worse of the median of all and of what the most alike have. Where a model fails, it
        fails on similar frames alike; a mistake in a label stands alone.

        Returns:
            None where no other frame has such a number.
        """
        faults = self.values(all_faults)
        if not faults.size:
            return None
        alike = faults[:_ALIKE]
        value = max(float(np.median(faults)), float(np.quantile(alike, _ALIKE_QUANTILE)))
        return Usual(value, max(_spread(faults), _spread(alike), _LEAST_SIGMA))

    def how_often(self, all_values: NDArray[np.float64], least: float) -> float:
        """Return the share, 0 to 1, of the other frames in which (N,) values reach a bound."""
        values = self.values(all_values)
        if not values.size:
            return 0.0
        reached = values >= least
        return float(max(reached.mean(), reached[:_ALIKE].mean()))


def _spread(values: NDArray[np.float64]) -> float:
    return _MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def _largest(measured: Measured) -> NDArray[np.float64]:
    found = np.zeros(measured.labelled.size)
    for region in measured.regions:
        found[region.class_id] = max(found[region.class_id], region.weight)
    return found
