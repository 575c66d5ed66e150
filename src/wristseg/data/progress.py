"""Show how far a loop over frames is, on stderr, once it has taken two seconds.

Called by the stages that go over all frames of a data set.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

__all__ = ["with_progress"]

#: Shorter work is over before a bar could be read, and rich takes a quarter of a second to load.
_QUIET_S = 2.0

ItemT = TypeVar("ItemT")


def with_progress(items: Sequence[ItemT], *, doing: str) -> Iterator[ItemT]:
    """Yield the items; after two seconds show a bar named ``doing`` while the rest are yielded."""
    started = time.monotonic()
    for place, item in enumerate(items):
        if time.monotonic() - started > _QUIET_S:
            yield from _with_bar(items[place:], done=place, doing=doing)
            return
        yield item


def _with_bar(rest: Sequence[ItemT], *, done: int, doing: str) -> Iterator[ItemT]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(doing, total=done + len(rest), completed=done)
        for item in rest:
            yield item
            progress.advance(task)
