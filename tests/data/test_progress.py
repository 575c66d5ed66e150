"""Work on many frames keeps its order, shows a bar on stderr only, and stops at the first error."""

from __future__ import annotations

import os
import threading
import time

import pytest

from wristseg.data import progress
from wristseg.data.progress import for_each


def double(number: int) -> int:
    return 2 * number


def test_short_work_is_silent_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert for_each(double, range(50), doing="doubling") == [2 * i for i in range(50)]
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_long_work_shows_a_bar_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_QUIET_S", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert for_each(double, range(50), doing="doubling") == [2 * i for i in range(50)]
    said = capsys.readouterr()
    assert said.out == ""
    assert "doubling" in said.err


def test_a_log_gets_no_bar_and_no_empty_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_QUIET_S", -1.0)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for_each(double, range(50), doing="doubling")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_error_stops_the_rest() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def fail(number: int) -> None:
        with lock:
            begun.append(number)
        if number == 0:
            raise RuntimeError("frame 0")
        time.sleep(0.005)

    with pytest.raises(RuntimeError, match="frame 0"):
        for_each(fail, range(10_000), doing="failing")
    assert len(begun) < 10_000


@pytest.mark.parametrize(("cores", "threads"), [(1, 4), (8, 16), (500, 64)])
def test_threads_are_as_many_as_the_cores_that_may_be_used_can_feed(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: range(cores), raising=False)
    together = threading.Barrier(threads)

    def meet(_number: int) -> int:
        together.wait(timeout=20)  # breaks if there are fewer
        return threading.get_ident()

    assert len(set(for_each(meet, range(2 * threads), doing="meeting"))) == threads
