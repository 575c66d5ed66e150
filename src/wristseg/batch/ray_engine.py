"""The engine on many machines: Ray Data hands inputs to a pool of actors.

In: a job and items. Out: what becomes of each. Ray starts an actor again that was killed and gives
its inputs to others, at least once; that they come out exactly once is the records' doing
(``batch.records``). What is wrong with an input never reaches Ray, which would end the job or lose
the row: it is a status. Called by ``batch.label``.

https://docs.ray.io/en/latest/data/transforming-data.html#stateful-transforms
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from wristseg.batch.item import Labeller, load_model
from wristseg.batch.job import Item, Job, Outcome
from wristseg.batch.local_engine import Event
from wristseg.batch.worker import Frames, Load
from wristseg.errors import MissingExtraError, UsageError, WristsegError
from wristseg.interruption import raise_lost_signal
from wristseg.predict.backend import default_threads

__all__ = ["run_ray"]

#: CPUs that the actors leave: with none left, Ray Data's own tasks wait for them for ever
#: (measured with Ray 2.60: two actors on two CPUs).
_SPARE_CPUS = 1
#: Inputs that an actor gets at once; those that a killed actor had are looked at again.
_BLOCK = 8
#: Seconds in which a cluster has to answer.
_REACH_S = 10.0


def run_ray(
    job: Job,
    items: Sequence[Item],
    *,
    workers: int | None,
    address: str | None,
    load: Load = load_model,
) -> Generator[Event, None, None]:
    """Label items in actors of Ray.

    Args:
        job: What is to be made; its paths must hold on every machine.
        items: The inputs.
        workers: Number of actors; None for as many as there is room for.
        address: A cluster that runs; None to start one on this machine alone.
        load: Makes the model of an actor.

    Yields:
        Outcomes of all items in the order in which they come.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: No cluster is there, or it has too few CPUs for the actors.
        WristsegError: The model cannot be used on a machine, or outputs cannot be written.
    """
    with _cluster(workers, address) as actors:
        waiting = list(items)
        while waiting:
            failed = []
            for number, outcome in _round(job, waiting, min(actors, len(waiting)), load):
                raise_lost_signal()
                if outcome.status == "failed":
                    failed.append(waiting[number])
                    continue
                yield Frames(outcome.frames)
                yield outcome
            waiting = failed


class _Actor:
    """Labels inputs on one of the machines; keeps its model."""

    def __init__(self, job: Job, load: Load) -> None:
        self._error: str | None = None
        self._code = 3
        try:
            self._labeller = Labeller(job, load(job))
        except WristsegError as error:  # raised here, Ray would start the actor again for ever
            self._error, self._code = str(error), error.exit_code

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._error is None:
            try:
                outcome = self._labeller.label(Item(**json.loads(row["item"])))
                said = json.dumps(dataclasses.asdict(outcome))
                return {"number": row["number"], "outcome": said, "error": "", "code": 0}
            # A full disk, a folder that may not be written to.
            except (WristsegError, OSError) as error:
                self._error = str(error)
        return {"number": row["number"], "outcome": "", "error": self._error, "code": self._code}


def _round(
    job: Job, items: Sequence[Item], actors: int, load: Load
) -> Generator[tuple[int, Outcome], None, None]:
    """Let the actors go over the items once; yields each item's number with its outcome."""
    import ray

    rows = [
        {"number": number, "item": json.dumps(dataclasses.asdict(item))}
        for number, item in enumerate(items)
    ]
    blocks = max(actors, -(-len(rows) // _BLOCK))
    dataset = ray.data.from_items(rows, override_num_blocks=min(blocks, len(rows))).map(
        _Actor,
        fn_constructor_args=(job, load),
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
        num_gpus=_gpus(job),
    )
    for row in dataset.iter_rows():
        if row["error"]:
            error = WristsegError(row["error"])
            error.exit_code = int(row["code"])
            raise error
        yield int(row["number"]), Outcome(**json.loads(row["outcome"]))


def _gpus(job: Job) -> int | None:
    """Return the GPUs of an actor: Ray hides them from one that asks for none."""
    import ray

    on_gpu = job.runtime == "torch" and job.device != "cpu"
    return 1 if on_gpu and ray.cluster_resources().get("GPU", 0) >= 1 else None


def _require_reachable(address: str) -> None:
    """Refuse an address that nobody answers at; Ray would go on trying for many minutes.

    Raises:
        UsageError: Nobody answers at host and port; ``auto`` and others without a port are Ray's.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"--address {address}: no cluster of Ray there: {error}") from error


@contextmanager
def _cluster(workers: int | None, address: str | None) -> Generator[int, None, None]:
    """Connect to a cluster or start one; yields the number of actors."""
    # Read when Ray is imported: nothing is reported to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Below "uv run" Ray would make an environment for each actor anew, and wait for it for ever
    # where that cannot be done; every machine has wristseg installed.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("ray", "ray") from error
    actors = default_threads() if workers is None else workers
    if address is not None:
        _require_reachable(address)
    where: dict[str, Any] = {"address": address}
    if address is None:
        where = {"num_cpus": actors + _SPARE_CPUS, "include_dashboard": False}
    connected = ray.is_initialized()  # by the program that calls this: its cluster is taken
    try:
        if not connected:
            ray.init(**where, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:  # of many types, bare Exception among them
        reason = str(error).strip().splitlines()[0]
        if address is None:
            raise WristsegError(f"Ray does not start on this machine: {reason}") from error
        raise UsageError(f"--address {address}: no cluster of Ray there: {reason}") from error
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        cpus = int(ray.cluster_resources().get("CPU", 0))
        actors = cpus - _SPARE_CPUS if workers is None else workers
        if actors < 1 or actors + _SPARE_CPUS > cpus:
            raise UsageError(
                f"--workers {actors}: the cluster has {cpus} CPUs, and {_SPARE_CPUS} has to be "
                f"left to Ray Data itself; give at most --workers {max(0, cpus - _SPARE_CPUS)} or "
                "add machines"
            )
        yield actors
    finally:
        if not connected:
            ray.shutdown()
