"""How old a mask may be, how long a fault may last, and what the loop gives meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from wristseg.errors import UsageError

__all__ = ["FaultPolicy", "LiveLimits"]

FaultPolicy = Literal["hold", "raise", "empty"]


@dataclass(frozen=True)
class LiveLimits:
    """Limits of a live loop, counted in periods of the loop that uses the masks.

    Attributes:
        hz: Ticks per second of that loop.
        stale_periods: From this age on a mask is stale; a tick waits no longer for a new one.
        watchdog_periods: Without a new mask for so long the loop ends and frees the camera.
        freeze_frames: So many frames of equal bytes are a frozen camera (a sensor has noise);
            None to believe them, as a still picture in a compressed stream repeats itself.
        on_fault: What a tick without a new mask gives. ``hold``: the last mask, with its own
            frame id and times. ``empty``: class 0 everywhere. ``raise``: as ``hold``, and an error
            from the ``raise_after``-th such tick in a row on.
        raise_after: See ``on_fault``.
        reconnect_s: How long a camera that is gone is waited for, seconds; None for no longer than
            the watchdog does.
        start_s: How long the first frame is waited for, seconds.

    Raises:
        UsageError: A limit makes no sense.
    """

    hz: float = 30.0
    stale_periods: float = 2.0
    watchdog_periods: float = 5.0
    freeze_frames: int | None = 5
    on_fault: FaultPolicy = "raise"
    raise_after: int = 3
    reconnect_s: float | None = None
    start_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0.0 < self.hz <= 1000.0:
            raise UsageError(f"{self.hz:g} Hz: expected a rate above 0, up to 1000")
        if not 0.0 < self.stale_periods <= self.watchdog_periods or math.isinf(self.stale_periods):
            raise UsageError(
                f"stale after {self.stale_periods:g} and watchdog after {self.watchdog_periods:g} "
                "periods: expected above 0, and the watchdog no earlier"
            )
        if self.freeze_frames is not None and self.freeze_frames < 2:
            raise UsageError(f"freeze frames {self.freeze_frames}: expected 2 or more, or None")
        if self.raise_after < 1:
            raise UsageError(f"raise after {self.raise_after} ticks: expected 1 or more")
        for name, seconds in (("reconnect", self.reconnect_s), ("start", self.start_s)):
            if seconds is not None and not seconds > 0.0:
                raise UsageError(f"{name} {seconds:g} s: expected more than 0")

    @property
    def period_s(self) -> float:
        """Seconds between two ticks."""
        return 1.0 / self.hz

    @property
    def stale_s(self) -> float:
        """Age in seconds from which on a mask is stale."""
        return self.stale_periods * self.period_s

    @property
    def watchdog_s(self) -> float:
        """Seconds without a new mask after which the loop ends."""
        return self.watchdog_periods * self.period_s
