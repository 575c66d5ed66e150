"""Signals end the work even where their exception is dropped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from wristseg.interruption import Terminated

SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


def run_in_child(code):
    """Run code in a process of its own: a test runner has plans of its own for Ctrl-C."""
    given = "import signal\nfrom wristseg.interruption import *\n"
    command = [sys.executable, "-c", given + textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, check=True, timeout=60, capture_output=True, text=True, env=environment
    )
    return done.stdout.split()


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_signal_raises_and_the_handler_is_put_back(number, error):
    said = run_in_child(f"""
        before = signal.getsignal({int(number)})
        try:
            with signals_raise():
                signal.raise_signal({int(number)})
        except BaseException as error:
            print(type(error).__name__)
        print(signal.getsignal({int(number)}) is before)
    """)
    assert said == [error.__name__, "True"]


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_f17_signal_in_a_finaliser_is_raised_by_the_next_step(number, error):
    said = run_in_child(f"""
        class Swallows:
            def __del__(self):  # where Python drops the exception
                signal.raise_signal({int(number)})

        with signals_raise():
            Swallows()
            try:
                raise_lost_signal()
            except BaseException as error:
                print(type(error).__name__)
            raise_lost_signal()  # once is enough
        print("quiet")
    """)
    assert said == [error.__name__, "quiet"]


def test_without_a_signal_nothing_is_raised():
    said = run_in_child("""
        try:
            with signals_raise():
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print("raised")
        raise_lost_signal()
        with signals_raise():
            raise_lost_signal()
        print("quiet")
    """)
    assert said == ["raised", "quiet"]


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_deferred_signal_acts_at_once_and_raises_after_the_block(number, error):
    said = run_in_child(f"""
        try:
            with signals_raise(), signals_deferred(lambda: print("told")):
                signal.raise_signal({int(number)})
                print("whole")
        except BaseException as error:
            print(type(error).__name__)
    """)
    assert said == ["told", "whole", error.__name__]
