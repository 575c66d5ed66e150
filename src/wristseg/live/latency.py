"""Latency of a loop that runs for days: exact counts in bins, in memory that does not grow.

Bins whose width grows by 1 % with their place keep every percentile to within 1 % of its value, as
HdrHistogram does (https://hdrhistogram.github.io/HdrHistogram/); the longest value is kept exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Histogram", "LatencySummary"]

_LEAST_MS = 0.001
_GROWTH = 1.01
#: Up to 1,000 s.
_BINS = math.ceil(math.log(1e6 / _LEAST_MS, _GROWTH)) + 1


@dataclass(frozen=True)
class LatencySummary:
    """Percentiles in milliseconds; of no values at all, every one is None."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class Histogram:
    """Counts durations.

    >>> times = Histogram()
    >>> for milliseconds in (10.0, 10.0, 10.0, 40.0):
    ...     times.add(milliseconds)
    >>> summary = times.summary()
    >>> round(summary.p50), summary.max
    (10, 40.0)
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._longest = -math.inf

    def add(self, milliseconds: float) -> None:
        """Count one duration; what is below a microsecond counts as that."""
        place = math.log(max(milliseconds, _LEAST_MS) / _LEAST_MS, _GROWTH)
        self._counts[min(math.ceil(place), _BINS - 1)] += 1
        self._longest = max(self._longest, milliseconds)

    def percentile(self, share: float) -> float | None:
        """Return a duration that no less than ``share`` (0 to 1) of all are at or below."""
        total = int(self._counts.sum())
        if total == 0:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), share * total))
        return min(_LEAST_MS * _GROWTH**place, self._longest)

    def summary(self, shares: Sequence[float] = (0.5, 0.95, 0.99)) -> LatencySummary:
        """Return percentiles and the longest value."""
        count = int(self._counts.sum())
        p50, p95, p99 = (self.percentile(share) for share in shares)
        return LatencySummary(count, p50, p95, p99, self._longest if count else None)
