"""Show on stderr how far a loop over frames is; run such a loop in a few threads.

Called by the stages that go over all frames of a data set.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["for_each", "with_progress"]

#: Shorter work is over before a bar could be read, and rich takes a quarter of a second to load.
_QUIET_S = 2.0

#: More than these wait for Python's lock, and each holds a decoded frame.
_MOST_THREADS = 64

#: Calls handed to the threads before the first of them is waited for: enough that none rests, and
#: few beside the 200,000 of a large data set, whose futures alone took 200 MB.
_AHEAD = 256

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def for_each(
    function: Callable[[ItemT], ResultT], items: Sequence[ItemT], *, doing: str
) -> list[ResultT]:
    """Return ``function(item)`` of every item, in order; after two seconds show a bar.

    Args:
        function: Called from several threads at once.
        items: What to call it with.
        doing: The bar's name.

    Raises:
        Exception: The first one that ``function`` raises; calls not yet begun are dropped.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_num_threads()) as pool:
        results = _in_order(pool, function, items)
        try:
            return list(with_progress(results, total=len(items), doing=doing))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _num_threads() -> int:
    # Decoding and PNG writing leave Python's lock, and a disk is waited for: more than cores. Those
    # that this process may use: a container on a large machine is often given two.
    usable = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if usable else os.cpu_count() or 1
    return min(2 * max(2, cores), _MOST_THREADS)


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
) -> Iterator[ResultT]:
    pending: deque[Future[ResultT]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > _AHEAD:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def with_progress(items: Iterable[ItemT], *, total: int, doing: str) -> Iterator[ItemT]:
    """Yield the items; after two seconds show a bar named ``doing`` while the rest are yielded."""
    started = time.monotonic()
    iterator = iter(items)
    for done, item in enumerate(iterator, start=1):
        yield item
        if time.monotonic() - started > _QUIET_S:
            yield from _with_bar(iterator, done=done, total=total, doing=doing)


def _with_bar(rest: Iterator[ItemT], *, done: int, total: int, doing: str) -> Iterator[ItemT]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    # In a log a bar that vanishes again would leave an empty line.
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=total, completed=done)
        for item in rest:
            yield item
            progress.advance(task)
