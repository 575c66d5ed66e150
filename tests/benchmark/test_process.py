"""A contestant's process answers commands, tells its errors and is never left behind."""

from __future__ import annotations

import os
import sys

import pytest

from wristseg.benchmark.process import ContestantError, ContestantProcess, run_timed


@pytest.fixture
def process(tmp_path):
    with ContestantProcess("wristseg/torch", tmp_path / "log.txt") as started:
        yield started


def test_it_answers_command_after_command(process):
    answers = [process.ask("memory") for _ in range(2)]
    assert all(answer.keys() == {"peak_bytes"} for answer in answers)


def test_peak_memory_is_that_of_the_process_and_not_of_its_parent(process):
    ballast = bytearray(os.urandom(1)) * 200_000_000
    with ContestantProcess("tools", process._log) as fresh:
        assert fresh.ask("memory")["peak_bytes"] < len(ballast)


def test_an_error_is_told_and_the_process_goes_on(process):
    with pytest.raises(ContestantError, match="wristseg/torch: load failed: FileNotFoundError"):
        process.ask("load", contestant="a/b", size="s", files={}, frames=["no_such_frame.npy"])
    assert process.ask("memory")


def test_a_process_that_dies_is_told_with_what_it_said_last(tmp_path):
    log = tmp_path / "log.txt"
    with ContestantProcess("tools", log) as process:
        process._process.kill()
        with pytest.raises(ContestantError, match="tools: ended during 'memory'"):
            process.ask("memory")


def test_a_process_ends_with_its_with_statement(tmp_path):
    with ContestantProcess("tools", tmp_path / "log.txt") as process:
        process.ask("memory")
    assert process._process.returncode == 0


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path):
    log = tmp_path / "log.txt"
    assert run_timed([sys.executable, "-c", "pass"], log) > 0
    with pytest.raises(ContestantError, match=r"ended with 3: .*out of cheese"):
        run_timed([sys.executable, "-c", "print('out of cheese'); raise SystemExit(3)"], log)
