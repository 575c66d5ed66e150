"""Show how far a loop over frames is, on stderr, once it has taken two seconds.

Called by the stages that go over all frames of a data set.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["with_progress"]

#: Shorter work is over before a bar could be read, and rich takes a quarter of a second to load.
_QUIET_S = 2.0

ItemT = TypeVar("ItemT")


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

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(doing, total=total, completed=done)
        for item in rest:
            yield item
            progress.advance(task)
