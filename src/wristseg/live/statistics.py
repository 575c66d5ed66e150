"""What a loop did: latency by part, age, missed deadlines, drops, and how often each status came.

Counted from the first mask after the warm-up on, in memory that does not grow; the same figures
feed the terminal line and the JSON report.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wristseg.live.capture import Counts
from wristseg.live.latency import Histogram
from wristseg.live.result import STATUSES, LiveResult

__all__ = ["PARTS", "LiveStatistics", "PartTimes"]

#: Part of a mask's latency to what it is.
PARTS = {
    "capture": "the camera has the frame -> decoded and judged",
    "wait": "waiting for the model to be done with the frame before",
    "infer": "resize, network, class ids at the frame's size",
    "post": "temporal filter and health signs, where they are on",
    "total": "the camera has the frame -> its mask is ready",
}


@dataclass(frozen=True)
class PartTimes:
    """Seconds that one mask took, part by part; see ``PARTS``."""

    capture_s: float
    wait_s: float
    infer_s: float
    post_s: float

    @property
    def total_s(self) -> float:
        """Seconds from the camera to the mask."""
        return self.capture_s + self.wait_s + self.infer_s + self.post_s


class LiveStatistics:
    """Counts masks and ticks; used under the lock of the loop's clock.

    Args:
        period_s: Period of the loop in seconds: the deadline of a mask.
        warm_up: Masks at the beginning that do not count.
    """

    def __init__(self, period_s: float, *, warm_up: int = 0) -> None:
        self._period_s = period_s
        self._warm_up = warm_up
        self._parts = {name: Histogram() for name in PARTS}
        self._age = Histogram()
        self._statuses = dict.fromkeys(STATUSES, 0)
        self._late = self._missed = 0
        self._since: float | None = None
        self.masks = 0

    @property
    def counting(self) -> bool:
        """Whether the warm-up is over."""
        return self.masks > self._warm_up

    @property
    def ticks(self) -> int:
        """Results that were handed out."""
        return sum(self._statuses.values())

    @property
    def age_ms(self) -> Histogram:
        """Ages of the masks that were handed out as new."""
        return self._age

    def count_mask(self, times: PartTimes) -> None:
        """Count a mask that is ready."""
        self.masks += 1
        if not self.counting:
            return
        for name in PARTS:
            self._parts[name].add(1000.0 * float(getattr(times, f"{name}_s")))

    def count_tick(self, result: LiveResult, *, new: bool, now: float) -> None:
        """Count a result that is handed out; ``new`` if its mask was not handed out before."""
        if not self.counting:
            return
        if self._since is None:
            self._since = now
        self._statuses[result.status] += 1
        late = new and result.t_ready - result.t_capture > self._period_s
        self._missed += late or not result.ok
        if new:
            self._age.add(result.age_ms)

    @property
    def miss_share(self) -> float:
        """Share of ticks without a new mask that took no longer than a period; 0 before any."""
        return self._missed / self.ticks if self.ticks else 0.0

    def report(self, counts: Counts, *, dropped: int, now: float) -> dict[str, Any]:
        """Return plain values for the JSON report.

        Args:
            counts: What became of the camera's frames.
            dropped: Good frames that a newer one replaced before they were segmented.
            now: Seconds of the loop's clock.
        """
        seconds = 0.0 if self._since is None else now - self._since
        lost = dropped + counts.skipped
        given = counts.captured + counts.skipped
        return {
            "seconds": seconds,
            "period_ms": 1000.0 * self._period_s,
            "warm_up_masks": self._warm_up,
            "ticks": self.ticks,
            "ticks_per_s": self.ticks / seconds if seconds > 0 else None,
            "statuses": dict(self._statuses),
            "deadline_miss_share": self.miss_share,
            "latency_ms": {name: asdict(self._parts[name].summary()) for name in PARTS},
            "age_ms": asdict(self._age.summary()),
            "frames": {**asdict(counts), "dropped": dropped},
            "drop_share": lost / given if given else 0.0,
        }
