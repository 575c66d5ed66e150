"""Time and waiting of the live loop: the one lock that its threads share, and the one clock.

Threads wait for each other here and nowhere else, so that a test can put a clock in its place
whose hours pass in a moment.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Time, and waiting until something changes.

    Attributes:
        condition: Lock of all that the threads of one loop share.
    """

    condition: threading.Condition

    def now(self) -> float:
        """Return seconds that never run backwards, as ``time.monotonic``."""

    def wait(self, deadline: float) -> None:
        """Give the lock away until ``wake`` is called or the time has come; may return early.

        Args:
            deadline: A time of ``now``; infinity to wait for ``wake`` alone.
        """

    def wake(self) -> None:
        """Let all that wait look again; the caller holds the lock."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of its own, which does not keep the process alive."""


class SystemClock:
    """The machine's own time."""

    def __init__(self) -> None:
        self.condition = threading.Condition()

    def now(self) -> float:
        """Return ``time.monotonic()``."""
        return time.monotonic()

    def wait(self, deadline: float) -> None:
        """Give the lock away until ``wake`` is called or the time has come."""
        seconds = None if math.isinf(deadline) else max(0.0, deadline - self.now())
        self.condition.wait(seconds)

    def wake(self) -> None:
        """Let all that wait look again."""
        self.condition.notify_all()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of its own."""
        threading.Thread(target=work, name=name, daemon=True).start()
