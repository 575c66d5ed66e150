"""Signals end the work even where their exception is dropped."""

from __future__ import annotations

import signal

import pytest

from wristseg.interruption import Terminated, raise_lost_signal, signals_raise

SIGNALS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


class Swallows:
    """Gets a signal while it is finalised, where Python drops the exception."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_signal_raises_and_the_handler_is_put_back(number, error):
    before = signal.getsignal(number)
    with pytest.raises(error), signals_raise():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what is tested
@pytest.mark.parametrize(("number", "error"), SIGNALS)
def test_f17_signal_in_a_finaliser_is_raised_by_the_next_step(number, error):
    with signals_raise():
        Swallows(number)
        with pytest.raises(error):
            raise_lost_signal()
        raise_lost_signal()  # once is enough


def test_without_a_signal_nothing_is_raised():
    with pytest.raises(KeyboardInterrupt), signals_raise():
        signal.raise_signal(signal.SIGINT)
    raise_lost_signal()
    with signals_raise():
        raise_lost_signal()
