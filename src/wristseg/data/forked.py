"""Run a loop over frames in copies of this process, one per core.

For work that holds Python's lock most of the time, so that threads would wait for each other. A
copy starts in a few milliseconds, with everything loaded that this process has loaded; a fresh
Python would need longer for NumPy alone than the work of some hundred frames takes. Called by
``data.masks``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Generic, TypeVar

from wristseg.data.progress import with_progress
from wristseg.interruption import signals_deferred

__all__ = ["map_in_copies"]

#: A copy costs about 10 ms: less than this many frames take.
_LEAST_ITEMS = 40
_MOST_PROCESSES = 8

#: Number of prctl's setting in <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def map_in_copies(
    function: Callable[[ItemT], ResultT], items: Sequence[ItemT], *, doing: str
) -> list[ResultT]:
    """Return ``function(item)`` of every item, in order; after two seconds show a bar.

    This process takes a share of the items itself, and those of a copy that did not finish: it is
    as if all of them had been called here, also when a copy is killed. Where processes cannot be
    copied, or threads are running that a copy would not have, everything is called here.

    Args:
        function: Its results must be picklable. What it changes in memory stays in its copy.
        items: What to call it with.
        doing: The bar's name.

    Raises:
        Exception: The first one that ``function`` raises.
    """
    shares = _divide(items, _num_processes(len(items)))
    with contextlib.ExitStack() as running:
        copies = [running.enter_context(_copy(function, share)) for share in shares[1:]]
        # The bar counts all items, of which this process sees every nth.
        shown = with_progress(shares[0], total=len(shares[0]), doing=doing)
        results = [function(item) for item in shown]
        for share, copy in zip(shares[1:], copies, strict=True):
            answered = copy.results()
            results += [function(item) for item in share] if answered is None else answered
    return results


def _num_processes(num_items: int) -> int:
    copies_well = sys.platform.startswith("linux")  # macOS: its libraries do not survive a copy
    if not copies_well or threading.active_count() > 1:
        return 1
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # copies could not be waited for
        return 1
    wanted = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES, num_items // _LEAST_ITEMS)
    return max(1, wanted)


def _divide(items: Sequence[ItemT], parts: int) -> list[Sequence[ItemT]]:
    ends = [len(items) * part // parts for part in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


@dataclass
class _Copy(Generic[ResultT]):
    """A copy at work: where its results arrive."""

    pid: int
    pipe: BinaryIO

    def results(self) -> list[ResultT] | None:
        """Wait for its results; None where it ended without any."""
        try:
            results: list[ResultT] = pickle.load(self.pipe)  # noqa: S301 - written by this program
        except (EOFError, pickle.UnpicklingError):
            return None
        return results


@contextlib.contextmanager
def _copy(function: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> Iterator[_Copy[ResultT]]:
    """Let a copy of this process work on some items; it ends with the block at the latest."""
    read_end, write_end = os.pipe()
    parent, pid = os.getpid(), None
    try:
        with signals_deferred():  # one that came here would find a copy that nobody ends
            pid = _fork()
            if pid == 0:
                os.close(read_end)
                _work(function, items, write_end, parent=parent)
            os.close(write_end)
        with open(read_end, "rb") as pipe:
            yield _Copy(pid, pipe)
    finally:
        with signals_deferred():
            if pid is not None:
                os.kill(pid, signal.SIGKILL)  # ended or not, its number is kept until the next line
                os.waitpid(pid, 0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of NumPy's idle threads, which the copy does without: nothing here
        # multiplies matrices. https://docs.python.org/3/library/os.html#os.fork
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _work(
    function: Callable[[ItemT], ResultT], items: Sequence[ItemT], write_end: int, *, parent: int
) -> None:
    """Do the work of a copy and end it, without anything that this process does at its end."""
    code = 1
    try:
        _end_with(parent)
        # The terminal sends Ctrl-C to all; what is to be said of it, the first process says.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with open(write_end, "wb") as pipe:
            pickle.dump([function(item) for item in items], pipe, pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Let the system kill this copy when the process that it was copied from ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)
