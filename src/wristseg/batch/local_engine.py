"""The engine on this machine: worker processes that are watched, replaced, and given inputs.

In: a job and items. Out: what becomes of each, as it comes. A worker that is killed, crashes or
hangs costs the attempt it was at and is replaced; its inputs go to others. Python's own pools do
not survive that: ``multiprocessing.Pool`` waits for ever, ``ProcessPoolExecutor`` gives everything
up. Called by ``batch.label``.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TypeAlias

from wristseg.batch.item import Labeller, load_model
from wristseg.batch.job import Item, Job, Outcome
from wristseg.batch.worker import Answer, Frames, Load, Ready, Refused, Request, work
from wristseg.errors import WristsegError
from wristseg.interruption import raise_lost_signal, signals_deferred

__all__ = ["Event", "run_here", "run_local"]

#: A result, or so many more frames.
Event: TypeAlias = Outcome | Frames

#: Inputs shorter than this are handed out two at a time, so that no worker waits for the driver
#: between them; behind a longer one the second could have been done by another worker.
_SHORT_S = 0.2
#: So many workers in a row that end before their model is loaded end the job.
_MOST_FAILED_STARTS = 3
#: Seconds that workers have to end, first by themselves, then after SIGTERM: at most, on a busy
#: machine. One that is killed then cannot take its attempt back.
_LEAVE_S, _STOP_S = 5.0, 20.0
_TICK_S = 0.5
#: Seconds that a worker has for loading its model at least, however short inputs may take.
_LOAD_S = 300.0


def run_here(
    job: Job, items: Sequence[Item], *, load: Load = load_model
) -> Generator[Event, None, None]:
    """Label items in this process, one after the other; a crash ends the job.

    Raises:
        OSError: An output cannot be written.
    """
    labeller = Labeller(job, load(job))
    waiting = deque(items)
    while waiting:
        raise_lost_signal()
        item = waiting.popleft()
        outcome = labeller.label(item)
        if outcome.status == "failed":
            waiting.append(item)
            continue
        yield Frames(outcome.frames)
        yield outcome


def run_local(
    job: Job,
    items: Sequence[Item],
    *,
    workers: int,
    timeout_s: float,
    load: Load = load_model,
) -> Generator[Event, None, None]:
    """Label items in worker processes.

    Args:
        job: What is to be made.
        items: The inputs.
        workers: Number of processes.
        timeout_s: A worker that is silent for so long at an input is killed.
        load: Makes the model; can be pickled.

    Yields:
        Outcomes of all items in the order in which they come, and frames between them.

    Raises:
        WristsegError: The model cannot be used, outputs cannot be written, or workers do not start.
    """
    crew = _Crew(job, items, timeout_s=timeout_s, load=load)
    try:
        for _ in range(min(workers, len(items))):
            crew.hire()
        while crew.open:
            raise_lost_signal()
            yield from crew.events()
        crew.leave()
    finally:
        with signals_deferred():  # no worker may outlive this
            crew.stop()


@dataclass(eq=False)
class _Worker:
    """A worker process.

    Attributes:
        process: The process.
        pipe: Leads to it.
        held: Numbers of the inputs it has, the one it is at first.
        ready: Whether its model is loaded.
        heard: When it last said something.
    """

    process: SpawnProcess
    pipe: Connection
    held: deque[int] = field(default_factory=deque)
    ready: bool = False
    heard: float = field(default_factory=time.monotonic)


class _Crew:
    """The workers and what they have to do."""

    def __init__(self, job: Job, items: Sequence[Item], *, timeout_s: float, load: Load) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._job = job
        self._items = items
        self._timeout_s = timeout_s
        self._load = load
        self._waiting = deque(range(len(items)))
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._answers = 0
        self._started = time.monotonic()
        self.open = len(items)

    def hire(self) -> None:
        """Start a worker and give it its first inputs."""
        ours, its = self._context.Pipe()
        process = self._context.Process(
            target=work, args=(its, self._job, self._load), name="wristseg-label", daemon=True
        )
        process.start()
        its.close()  # else its end would not be seen when it dies
        worker = _Worker(process, ours)
        self._workers.append(worker)
        self._feed(worker)

    def events(self) -> Generator[Event, None, None]:
        """Wait a moment for messages, and answer them."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), timeout=_TICK_S):
            assert isinstance(pipe, Connection)
            yield from self._listen(by_pipe[pipe])
        for worker in self._workers:
            limit_s = self._timeout_s if worker.ready else max(self._timeout_s, _LOAD_S)
            if worker.held and time.monotonic() - worker.heard > limit_s:
                worker.process.kill()  # its pipe tells the rest

    def leave(self) -> None:
        """Let the workers end by themselves."""
        for worker in self._workers:
            with suppress(OSError):
                worker.pipe.send(None)
        self._join(_LEAVE_S)

    def stop(self) -> None:
        """End the workers that are left; each may take back the attempt it is at."""
        for worker in self._workers:
            worker.process.terminate()
        self._join(_STOP_S)
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _join(self, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))

    def _listen(self, worker: _Worker) -> Generator[Event, None, None]:
        """Take one message from a worker, or its end."""
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        worker.heard = time.monotonic()
        if isinstance(message, Refused):
            error = WristsegError(message.message)
            error.exit_code = message.exit_code
            raise error
        if isinstance(message, Ready):
            worker.ready, self._failed_starts = True, 0
        elif isinstance(message, Frames):
            yield message
        elif isinstance(message, Answer):
            worker.held.remove(message.number)
            self._answers += 1
            if message.outcome.status == "failed":
                self._waiting.append(message.number)  # after all others
            else:
                self.open -= 1
                yield message.outcome
            self._feed(worker)

    def _feed(self, worker: _Worker) -> None:
        most = 2 if self._items_are_short() else 1
        while len(worker.held) < most and self._waiting:
            number = self._waiting.popleft()
            worker.held.append(number)
            with suppress(OSError):  # it is dead; its pipe tells in a moment
                worker.pipe.send(Request(number, self._items[number]))

    def _items_are_short(self) -> bool:
        passed_s = time.monotonic() - self._started
        return self._answers > 0 and passed_s * len(self._workers) < _SHORT_S * self._answers

    def _replace(self, worker: _Worker) -> None:
        """Take back the inputs of a worker that has ended, and start another."""
        worker.pipe.close()
        worker.process.join()
        self._workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise WristsegError(
                    f"{self._failed_starts} worker processes in a row ended while they loaded the "
                    f"model (exit code {worker.process.exitcode}; -9: killed, often for lack of "
                    "memory); give fewer --workers, or --workers 0 to see more"
                )
        # The one it was at may be what ended it: it comes last. The next it has not touched.
        at, untouched = list(worker.held)[:1], list(worker.held)[1:]
        self._waiting.extendleft(reversed(untouched))
        (self._waiting.extend if worker.ready else self._waiting.extendleft)(at)
        if self.open:
            self.hire()
