"""Loops over frames in copies of the process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wristseg.data import forked
from wristseg.data.forked import map_in_copies


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    # A worker of pytest-xdist has threads of its own.
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_results_come_in_order_and_from_two_processes():
    results = map_in_copies(lambda item: (item, os.getpid()), range(101), doing="testing")
    assert [item for item, _ in results] == list(range(101))
    assert len({pid for _, pid in results}) == 2


def test_few_items_are_done_here():
    assert set(map_in_copies(lambda _item: os.getpid(), range(20), doing="testing")) == {
        os.getpid()
    }


def test_nothing_is_copied_beside_running_threads(monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert set(map_in_copies(lambda _item: os.getpid(), range(100), doing="testing")) == {
        os.getpid()
    }


def test_the_share_of_a_killed_copy_is_done_here():
    here = os.getpid()

    def killed_in_a_copy(item):
        if os.getpid() != here and item == 70:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert map_in_copies(killed_in_a_copy, range(100), doing="testing") == list(range(100))


def test_an_error_in_a_copy_is_raised_here():
    def fails(item):
        if item == 70:
            raise OSError(28, "No space left on device", "frame_70.png")
        return item

    with pytest.raises(OSError, match="No space left") as caught:
        map_in_copies(fails, range(100), doing="testing")
    assert caught.value.filename == "frame_70.png"


def test_no_copy_outlives_an_error_here():
    here, copies = os.getpid(), []
    fork = forked._fork

    def remembered():
        pid = fork()
        copies.append(pid)
        return pid

    forked._fork, kept = remembered, fork
    try:

        def interrupted(_item):
            if os.getpid() == here:
                raise KeyboardInterrupt
            signal.pause()

        with pytest.raises(KeyboardInterrupt):
            map_in_copies(interrupted, range(100), doing="testing")
    finally:
        forked._fork = kept
    assert len(copies) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(copies[0], 0)


def test_where_children_cannot_be_waited_for_everything_is_done_here():
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        pids = map_in_copies(lambda _item: os.getpid(), range(100), doing="testing")
    finally:
        signal.signal(signal.SIGCHLD, previous)
    assert set(pids) == {os.getpid()}


def test_a_copy_ends_with_the_process_that_made_it():
    code = (
        "import os, signal, sys, threading, time\n"
        "from wristseg.data.forked import map_in_copies\n"
        "os.sched_getaffinity = lambda _pid: {0, 1}\n"
        "first = os.getpid()\n"
        "def work(item):\n"
        "    if os.getpid() == first:\n"
        "        time.sleep(60)\n"
        "    elif item == 50:\n"
        "        print(os.getpid(), flush=True)\n"
        "    return bytes(10_000)\n"  # more than a pipe holds
        "map_in_copies(work, range(100), doing='testing')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        copy = int(process.stdout.readline())
        process.kill()
        process.wait(timeout=30)
    end = time.monotonic() + 20
    while time.monotonic() < end and Path(f"/proc/{copy}").exists():
        if "State:\tZ" in Path(f"/proc/{copy}/status").read_text():
            break  # nobody has asked for its end yet
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{copy}").exists()
