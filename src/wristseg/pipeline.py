"""Overlap the steps of a loop: one step reads ahead of it in a thread, one works behind it.

Order is kept and queues are bounded, so that memory does not grow with the number of items. What a
thread raises is raised in the loop, as if the step stood there, and no thread outlives its ``with``
block. This helps where steps leave Python's lock: decoding, running a network, compressing, waiting
for a disk. Called by ``data.masks`` and ``predict``.

    with ReadAhead(decode(path), depth=2) as frames, WorkBehind(encode, depth=2) as encoder:
        for frame in frames:
            encoder.put(segment(frame))
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["ReadAhead", "WorkBehind", "map_in_order"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

#: Calls that are begun per function: the next one waits where the last one ends.
_BEGUN = 2


class ReadAhead(Generic[ItemT]):
    """Iterates over items that a thread takes from an iterable, a few ahead.

    Args:
        items: Iterated over in the thread; a generator is closed there too.
        depth: Most items that wait to be used.

    Raises:
        Exception: Iterating raises what ``items`` raised, after the items before it.
    """

    def __init__(self, items: Iterable[ItemT], *, depth: int) -> None:
        self._items = items
        self._channel: _Channel[ItemT] = _Channel(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._channel.abandon()
        self._thread.join()

    def __iter__(self) -> Iterator[ItemT]:
        yield from self._channel
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                if not self._channel.put(item):
                    break
            if isinstance(iterator, Generator):
                iterator.close()
        except BaseException as error:  # whatever it is, the loop must hear of it
            self._error = error
        finally:
            self._channel.finish()


class WorkBehind(Generic[ItemT]):
    """Calls a function in a thread with one item after the other.

    Leaving the ``with`` block waits until all of them are done; if the block raises, items that
    wait are dropped.

    Args:
        function: Called in the thread.
        depth: Most items that wait; ``put`` blocks until there is room.
    """

    def __init__(self, function: Callable[[ItemT], object], *, depth: int) -> None:
        self._function = function
        self._channel: _Channel[ItemT] = _Channel(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="work-behind", daemon=True)

    def put(self, item: ItemT) -> None:
        """Hand over an item.

        Raises:
            Exception: What the function raised for an earlier item.
        """
        if not self._channel.put(item):
            self._raise()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._channel.finish()
                self._thread.join()
        finally:
            self._channel.abandon()
            self._thread.join()
        if kind is None:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for item in self._channel:
                self._function(item)
        except BaseException as error:  # whatever it is, the loop must hear of it
            self._error = error
            self._channel.abandon()


def map_in_order(
    functions: Sequence[Callable[[ItemT], ResultT]], items: Iterable[ItemT]
) -> Generator[ResultT, None, None]:
    """Yield a function's result for each item, in order, from several functions in turns.

    Each function has a thread of its own, so it need not be safe to call from several; one alone is
    called by the caller itself. Close the generator if it is left early.

    Args:
        functions: Do the same; the first takes the first item, the second the next, and so on.
        items: What to call them with.

    Raises:
        Exception: What a function raised, after the results before it.
    """
    if len(functions) == 1:
        yield from map(functions[0], items)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in functions]
        begun: deque[Future[ResultT]] = deque()
        turns = cycle(zip(pools, functions, strict=True))
        for item, (pool, function) in zip(items, turns, strict=False):
            begun.append(pool.submit(function, item))
            if len(begun) == _BEGUN * len(functions):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


class _Channel(Generic[ItemT]):
    """A bounded queue whose two ends can be closed (``queue.Queue`` learns that in Python 3.13)."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._waiting: deque[ItemT] = deque()
        self._finished = False
        self._abandoned = False
        self._changed = threading.Condition()

    def put(self, item: ItemT) -> bool:
        """Wait for room and add an item; return False if nobody will take it any more."""
        with self._changed:
            while len(self._waiting) >= self._depth and not self._abandoned:
                self._changed.wait()
            if not self._abandoned:
                self._waiting.append(item)
                self._changed.notify_all()
            return not self._abandoned

    def finish(self) -> None:
        """Say that no item will follow."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Drop what waits, and say that no item will be taken."""
        with self._changed:
            self._abandoned = True
            self._waiting.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[ItemT]:
        while True:
            with self._changed:
                while not (self._waiting or self._finished or self._abandoned):
                    self._changed.wait()
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
