"""A worker process: takes inputs from a pipe, one after the other, and answers what became of them.

``batch.local_engine`` starts these with ``spawn`` and starts a new one for each that ends. A worker
ends by itself when the pipe or its parent is gone.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeAlias

from wristseg.batch.item import Labeller
from wristseg.batch.job import Item, Job, Model, Outcome
from wristseg.errors import WristsegError
from wristseg.interruption import Terminated, signals_raise
from wristseg.worker_process import prepare_worker

__all__ = ["Answer", "Frames", "Load", "Ready", "Refused", "Request", "work"]

#: Makes the model of a worker.
Load: TypeAlias = Callable[[Job], Model]

#: Seconds a worker has to take its attempt back when the parent is gone.
_GRACE_S = 10.0
#: Seconds between two messages about frames of one input.
_REPORT_S = 1.0


@dataclass(frozen=True)
class Request:
    """An input to label; ``number`` comes back with the answer."""

    number: int
    item: Item


@dataclass(frozen=True)
class Ready:
    """The model is loaded."""


@dataclass(frozen=True)
class Frames:
    """So many more frames are segmented."""

    count: int


@dataclass(frozen=True)
class Answer:
    """What became of an input."""

    number: int
    outcome: Outcome


@dataclass(frozen=True)
class Refused:
    """Something that stops the whole job, as the message a user gets."""

    message: str
    exit_code: int


def work(requests: Connection, job: Job, load: Load) -> None:
    """Label inputs until there are none; runs in the worker process.

    Args:
        requests: Brings ``Request`` or, at the end, None; takes the messages above.
        job: What is to be made.
        load: Makes the model.
    """
    prepare_worker(grace_s=_GRACE_S)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, EOFError):
        try:
            # SIGTERM simply ends it up to here: there is nothing to take back, and libraries turn
            # what is raised while they are imported into errors of their own.
            labeller = Labeller(job, load(job))
            requests.send(Ready())
            with contextlib.suppress(Terminated), signals_raise():
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business, as before
                _label_all(requests, labeller)
        except (BrokenPipeError, ConnectionResetError, EOFError):
            raise
        except WristsegError as error:
            requests.send(Refused(str(error), error.exit_code))
        except OSError as error:  # a full disk, a folder that may not be written to
            place = error.filename2 or error.filename
            text = error.strerror or str(error)
            requests.send(Refused(text if place is None else f"{place}: {text}", 3))


def _label_all(requests: Connection, labeller: Labeller) -> None:
    for request in _received(requests):
        reporter = _Reporter(requests)
        outcome = labeller.label(request.item, reporter.count)
        reporter.flush()
        requests.send(Answer(request.number, outcome))


def _received(requests: Connection) -> Iterator[Request]:
    while (request := requests.recv()) is not None:
        yield request


class _Reporter:
    """Tells the parent now and then that frames are done, so that it knows a stuck worker."""

    def __init__(self, requests: Connection) -> None:
        self._requests = requests
        self._count = 0
        self._told = time.monotonic()

    def count(self) -> None:
        self._count += 1
        if time.monotonic() - self._told >= _REPORT_S:
            self.flush()

    def flush(self) -> None:
        if self._count:
            self._requests.send(Frames(self._count))
        self._count = 0
        self._told = time.monotonic()
