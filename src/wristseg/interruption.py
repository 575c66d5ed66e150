"""SIGINT and SIGTERM as exceptions that do not get lost.

Python raises a signal's exception in whatever code happens to run. Inside a finaliser or a callback
it is printed and dropped, and the work would go on as if nobody had pressed Ctrl-C. So the signal
is remembered as well, and long loops ask for it between two steps (``raise_lost_signal``). Used by
``cli.command``, ``train.progress``, and what cleans up after itself.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Terminated", "raise_lost_signal", "signals_deferred", "signals_raise"]


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that clean-up runs as for Ctrl-C."""


_EXCEPTIONS: dict[int, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
}

#: Signals that came inside ``signals_raise``.
_arrived: list[int] = []


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise ``KeyboardInterrupt`` and ``Terminated`` inside the block."""
    previous = {number: signal.signal(number, _raise) for number in _EXCEPTIONS}
    try:
        yield
    finally:
        _arrived.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the block is over: for clean-up that must be whole."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python raises signals in the main thread alone
        return
    waiting: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, _frame: waiting.append(number))
        for number in _EXCEPTIONS
    }
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
    _arrived.append(number)
    raise _EXCEPTIONS[number]
