"""Summaries of repeated timings: median, spread, tail, and missed deadlines.

Called by every part of the benchmark that times something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["RATES_HZ", "Summary", "miss_shares", "summarize"]

#: Control loops that a mask model has to keep up with.
RATES_HZ = (10, 20, 30)


@dataclass(frozen=True)
class Summary:
    """A sample of timings, in the unit of its values.

    Attributes:
        count: Number of values.
        median: Half of the values lie below.
        q1: A quarter of the values lie below.
        q3: Three quarters of the values lie below.
        p95: 95 % of the values lie below.
        p99: 99 % of the values lie below; of fewer than 100 values, the highest or close to it.
        lowest: The lowest value.
        highest: The highest value.
    """

    count: int
    median: float
    q1: float
    q3: float
    p95: float
    p99: float
    lowest: float
    highest: float


def summarize(values: Sequence[float]) -> Summary:
    """Summarise values; between two of them percentiles are interpolated.

    Raises:
        ValueError: There is no value.

    >>> summarize([4.0, 1.0, 3.0, 2.0, 5.0]).median
    3.0
    >>> summarize([1.0, 2.0]).p95
    1.95
    """
    if not values:
        raise ValueError("no values to summarise")
    found = np.percentile(values, [0, 25, 50, 75, 95, 99, 100])
    lowest, q1, median, q3, p95, p99, highest = (float(value) for value in found)
    return Summary(len(values), median, q1, q3, p95, p99, lowest, highest)


def miss_shares(seconds: Sequence[float]) -> dict[int, float]:
    """Return, for each rate of ``RATES_HZ``, the share of values longer than its period.

    >>> miss_shares([0.020, 0.040, 0.060, 0.120])
    {10: 0.25, 20: 0.5, 30: 0.75}
    """
    return {rate: sum(value > 1 / rate for value in seconds) / len(seconds) for rate in RATES_HZ}
