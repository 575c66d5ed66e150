"""SIGINT and SIGTERM as exceptions that do not get lost.

Python raises a signal's exception in whatever code happens to run. Inside a finaliser or a callback
it is printed and dropped, and the work would go on as if nobody had pressed Ctrl-C. So the signal
is remembered as well, and long loops ask for it between two steps (``raise_lost_signal``). A second
signal that follows at once does not interrupt the clean-up that the first began. Used by
``cli.command``, by long loops, and by what cleans up after itself.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = [
    "Terminated",
    "own_process",
    "raise_lost_signal",
    "signals_deferred",
    "signals_raise",
]


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that clean-up runs as for Ctrl-C."""


_EXCEPTIONS: dict[int, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
}

#: Signals that came inside ``signals_raise``.
_arrived: list[int] = []

#: When the last of them was raised, on the monotonic clock.
_raised_at: float | None = None

#: People press Ctrl-C twice, and supervisors send SIGTERM more than once.
_REPEATED_S = 3.0


def own_process() -> None:
    """Let signals end this process with 130 or 143 even before its command starts and after it.

    To be called by a program, not a library: handlers belong to the whole process.
    """
    for number in _EXCEPTIONS:
        signal.signal(number, _end)


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise ``KeyboardInterrupt`` and ``Terminated`` inside the block.

    After a signal, a process that is its own (``own_process``) pays no heed to others: it ends.
    """
    global _raised_at  # noqa: PLW0603 - signals are one to a process
    _raised_at = None
    previous = {number: signal.signal(number, _raise) for number in _EXCEPTIONS}
    try:
        yield
    finally:
        _arrived.clear()
        for number, handler in previous.items():
            ends = _raised_at is not None and handler is _end
            # Python's own handlers go before C++ libraries have cleaned up; this one stays.
            signal.signal(number, signal.SIG_IGN if ends else handler)


@contextlib.contextmanager
def signals_deferred(on_signal: Callable[[], None] | None = None) -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the block is over.

    For clean-up that must be whole, and for work beside threads that import: an exception raised
    inside the import machinery or ``logging`` leaves their locks taken, and the threads waiting.

    Args:
        on_signal: Called when one comes, in the main thread between any two of its steps. It must
            take no lock, for the thread may hold it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python raises signals in the main thread alone
        return
    waiting: list[int] = []

    def wait(number: int, _frame: FrameType | None) -> None:
        waiting.append(number)
        if on_signal is not None:
            on_signal()

    previous = {number: signal.signal(number, wait) for number in _EXCEPTIONS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            # None: set by other code than Python's, which cannot be set again from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if waiting:
        signal.raise_signal(waiting[0])


def raise_lost_signal() -> None:
    """Raise again what a signal raised and nobody has acted on.

    Raises:
        KeyboardInterrupt: SIGINT came.
        Terminated: SIGTERM came.
    """
    if _arrived:
        raise _EXCEPTIONS[_arrived.pop()]


def _raise(number: int, _frame: FrameType | None) -> None:
    global _raised_at  # noqa: PLW0603
    now = time.monotonic()
    if _raised_at is not None and now - _raised_at < _REPEATED_S:
        return
    _raised_at = now
    _arrived.append(number)
    raise _EXCEPTIONS[number]


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
