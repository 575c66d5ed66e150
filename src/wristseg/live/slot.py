"""A place for one thing: the newest wins, and what nobody took is counted.

Queues are how masks grow old: a camera at 30 Hz before a model at 20 Hz fills any queue, and from
then on each frame is as old as the queue is long.
"""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Slot"]

ItemT = TypeVar("ItemT")


class Slot(Generic[ItemT]):
    """Holds at most one item; whoever uses it holds the lock of the loop's clock.

    Attributes:
        dropped: Items that were replaced before anybody took them.
    """

    def __init__(self) -> None:
        self._item: ItemT | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return 0 if self._item is None else 1

    def put(self, item: ItemT) -> None:
        """Put an item in, in place of one that waits there."""
        if self._item is not None:
            self.dropped += 1
        self._item = item

    def peek(self) -> ItemT | None:
        """Return the item and leave it there; None where there is none."""
        return self._item

    def take(self) -> ItemT | None:
        """Take the item out; None where there is none."""
        item, self._item = self._item, None
        return item
