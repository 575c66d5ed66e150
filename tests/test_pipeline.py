"""Steps that overlap keep order and memory, and no thread or error is left behind."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing

import pytest

from wristseg.pipeline import ReadAhead, WorkBehind, map_in_order


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def numbers(count: int) -> Iterator[int]:
    yield from range(count)


def broken_after(count: int) -> Iterator[int]:
    yield from range(count)
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_items_come_and_go_in_order(depth: int) -> None:
    done: list[int] = []

    def slow_now_and_then(number: int) -> None:
        time.sleep(0.002 * (number % 5 == 0))
        done.append(number)

    with (
        ReadAhead(numbers(60), depth=depth) as items,
        WorkBehind(slow_now_and_then, depth=depth) as behind,
    ):
        for number in items:
            time.sleep(0.002 * (number % 7 == 0))
            behind.put(number)
    assert done == list(range(60))


def test_steps_run_at_the_same_time() -> None:
    # Each step waits for the two others: alone none of them could go on.
    together = threading.Barrier(3, timeout=20)

    def first() -> Iterator[int]:
        for number in range(4):
            if number == 2:
                together.wait()
            yield number

    def last(number: int) -> None:
        if number == 0:
            together.wait()

    with ReadAhead(first(), depth=1) as items, WorkBehind(last, depth=1) as behind:
        for number in items:
            behind.put(number)
            if number == 0:
                together.wait()


class Frame:
    """Something whose life can be watched."""


def test_few_frames_live_at_a_time_however_many_there_are() -> None:
    living: weakref.WeakSet[Frame] = weakref.WeakSet()
    most = 0

    def frames() -> Iterator[Frame]:
        for _ in range(500):
            frame = Frame()
            living.add(frame)
            yield frame

    def watch(_frame: Frame) -> None:
        nonlocal most
        most = max(most, len(living))

    with ReadAhead(frames(), depth=2) as items, WorkBehind(watch, depth=2) as behind:
        for frame in items:
            behind.put(frame)
    # Two wait on each side; each of the three steps holds one, and its thread the one before it.
    assert most <= 10


def test_error_of_the_reader_comes_after_the_items_before_it() -> None:
    seen: list[int] = []
    with ReadAhead(broken_after(3), depth=5) as items, pytest.raises(OSError, match="Input/output"):
        seen.extend(items)
    assert seen == [0, 1, 2]


def fail_at(number: int) -> None:
    if number == 3:
        raise OSError(28, "No space left on device")


def put_all(behind: WorkBehind[int], count: int, put: list[int]) -> None:
    for number in range(count):
        behind.put(number)
        put.append(number)


def test_error_of_the_worker_stops_the_loop() -> None:
    put: list[int] = []
    with pytest.raises(OSError, match="No space left"), WorkBehind(fail_at, depth=2) as behind:
        put_all(behind, 100, put)
    assert len(put) < 10


def test_error_of_the_worker_is_raised_though_the_last_item_caused_it() -> None:
    with pytest.raises(OSError, match="No space left"), WorkBehind(fail_at, depth=9) as behind:
        put_all(behind, 4, [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_error_of_the_loop_drops_what_waits(error: type[BaseException]) -> None:
    closed, done = [], []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    def slow(number: int) -> None:
        time.sleep(0.01)
        done.append(number)

    def loop() -> None:
        with (
            ReadAhead(endless(), depth=3) as items,
            WorkBehind(slow, depth=50) as behind,
        ):
            for number, item in enumerate(items):
                behind.put(item)
                if number == 40:
                    raise error

    with pytest.raises(error):
        loop()
    assert closed == [True]
    assert len(done) < 40


def test_reader_that_is_left_early_ends() -> None:
    with ReadAhead(numbers(10**9), depth=2) as items:
        assert next(iter(items)) == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_of_several_functions_come_in_order(count: int) -> None:
    def uneven(number: int) -> int:
        time.sleep(0.002 * (number % 4))
        return -number

    assert list(map_in_order([uneven] * count, numbers(40))) == [-number for number in range(40)]


def test_several_functions_run_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=20)

    def wait(_number: int) -> int:
        return together.wait()

    assert len(list(map_in_order([wait, wait], numbers(6)))) == 6


def test_items_are_taken_only_as_far_as_results_are_used() -> None:
    taken: list[int] = []

    def watched() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    with closing(map_in_order([abs, abs], watched())) as results:
        assert next(results) == 0
    assert len(taken) <= 5


@pytest.mark.parametrize("count", [1, 2])
def test_error_of_a_function_comes_after_the_results_before_it(count: int) -> None:
    seen: list[None] = []
    with (
        pytest.raises(OSError, match="No space left"),
        closing(map_in_order([fail_at] * count, numbers(100))) as results,
    ):
        seen.extend(results)
    assert len(seen) == 3
