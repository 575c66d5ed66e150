"""A clock whose time passes as soon as every thread waits for it: hours of a loop in a moment."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

__all__ = ["VirtualClock"]

#: A test whose threads wait for each other for ever ends after so many real seconds.
_STUCK_S = 60.0


class VirtualClock:
    """Stands in for ``wristseg.live.clock.SystemClock``; the threads are real, time is not."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self._now = 1000.0
        self._threads = 1  # the test's own
        self._waiting: dict[int, float] = {}

    def now(self) -> float:
        return self._now

    def wait(self, deadline: float) -> None:
        me = threading.get_ident()
        self._waiting[me] = deadline
        self._pass_time()
        while me in self._waiting:
            assert self.condition.wait(_STUCK_S), f"waits for ever: {self._waiting}"

    def wake(self) -> None:
        self._waiting.clear()
        self.condition.notify_all()

    def start(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                with self.condition:
                    self._threads -= 1
                    self._pass_time()

        with self.condition:
            self._threads += 1
        threading.Thread(target=run, name=name, daemon=True).start()

    def sleep(self, seconds: float) -> None:
        with self.condition:
            until = self._now + seconds
            while self._now < until:
                self.wait(until)

    def _pass_time(self) -> None:
        if len(self._waiting) < self._threads or not self._waiting:
            return
        earliest = min(self._waiting.values())
        if math.isinf(earliest):
            return  # the next wake comes from outside, or the assertion above says who waits
        self._now = max(self._now, earliest)
        self._waiting = {who: when for who, when in self._waiting.items() if when > self._now}
        self.condition.notify_all()
