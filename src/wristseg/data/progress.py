"""Show on stderr how far a loop over frames is; run such a loop in a few threads.

Called by the stages that go over all frames of a data set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

__all__ = ["for_each", "with_progress"]

#: Shorter work is over before a bar could be read, and rich takes a quarter of a second to load.
_QUIET_S = 2.0

# Decoding and PNG writing leave Python's lock, and a disk is waited for: more threads than cores.
_THREADS = 4

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

    with ThreadPoolExecutor(_THREADS) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            shown = with_progress(futures, total=len(futures), doing=doing)
            return [future.result() for future in shown]
        finally:
            for future in futures:
                future.cancel()


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
