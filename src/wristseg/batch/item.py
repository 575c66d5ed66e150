"""Label one input exactly once: what every engine calls, as often as it likes.

In: an input and the job. Out: its outputs, its records and an ``Outcome``. What is wrong with an
input becomes its status; only what stops the whole job is raised. Called by ``batch.worker``,
``batch.local_engine`` and ``batch.ray_engine``.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from wristseg.artifacts import sha256_of, versions
from wristseg.batch.job import Item, Job, Model, Outcome
from wristseg.batch.masks import Place, make_outputs
from wristseg.batch.records import Records
from wristseg.batch.store import filesystem_of, local_path, open_store
from wristseg.errors import CheckpointError, DataError
from wristseg.interruption import Terminated, signals_deferred

__all__ = ["Labeller", "load_model"]

#: Facts of a manifest that stand in the index too; the others differ from run to run.
_INDEXED = ("content_sha256", "status", "frames", "declared_frames", "outputs", "problems")


def load_model(job: Job) -> Model:
    """Load the job's model for a worker: one thread, and the very file the job was made with.

    Raises:
        CheckpointError: The file cannot be used, or is another one than the job's.
        UsageError, MissingExtraError: As ``Segmenter.load``.
    """
    from wristseg.packed_file import model_path
    from wristseg.predict.segmenter import Segmenter

    runtime: Any = job.runtime
    segmenter = Segmenter.load(job.checkpoint, device=job.device, runtime=runtime, threads=1)
    found = sha256_of(model_path(job.checkpoint))
    if found != job.model_sha256:
        raise CheckpointError(
            f"{job.checkpoint}: SHA-256 is {found[:12]}... on {platform.node()}, the job was "
            f"started with {job.model_sha256[:12]}...; put the same file on every machine"
        )
    if segmenter.runtime == "torch":
        import torch

        torch.set_num_threads(1)
    return segmenter


class Labeller:
    """Labels inputs one after the other in one process.

    Args:
        job: What is to be made.
        model: Makes the masks.
    """

    def __init__(self, job: Job, model: Model) -> None:
        self._job = job
        self._model = model
        self._store = open_store(job.output)
        self._versions = versions()

    def label(self, item: Item, on_frame: Callable[[], object] = lambda: None) -> Outcome:
        """Label an input, unless that is done already.

        Args:
            item: The input.
            on_frame: Called after each frame.

        Raises:
            OSError: An output cannot be written.
            Terminated: SIGTERM came; the attempt does not count.
        """
        with contextlib.ExitStack() as stack:
            source: _Source | DataError
            try:
                source = opened = stack.enter_context(_on_this_machine(item))
                named_by = opened.sha256
            except DataError as error:
                source = error
                named_by = hashlib.sha256(f"unreadable:{item.name}".encode()).hexdigest()
            records = Records(self._store, self._job.key(named_by, item.kind))
            said = records.finished(verify=self._job.verify)
            if said is None:
                said = records.quarantined()
            if said is not None:
                return Outcome(said["status"], _entry(item, said), kept=True)
            if records.attempts() >= self._job.attempts:
                return _quarantine(item, records, records.reason())
            return self._attempt(source, item, records, on_frame)

    def _attempt(
        self,
        source: _Source | DataError,
        item: Item,
        records: Records,
        on_frame: Callable[[], object],
    ) -> Outcome:
        before, finished = records.attempts(), False
        try:
            number = records.begin()
            if isinstance(source, DataError):
                raise source
            said = self._make(source, item, records, on_frame)
            with signals_deferred():  # what is made shall count
                records.finish({**said, "attempt": number})
                finished = True
        except (Terminated, KeyboardInterrupt, OSError):
            if not finished:
                with signals_deferred():
                    records.withdraw(to=before)  # no fault of the input
            raise
        except DataError as error:
            reason = error.problems
        # Whatever else an input does to a decoder or the model must not stop thousands of others.
        except Exception as error:
            reason = [f"{type(error).__name__}: {error}"]
        else:
            return Outcome(said["status"], _entry(item, said), said["frames"])
        with signals_deferred():
            records.fail(reason)
        return (
            Outcome("failed") if number < self._job.attempts else _quarantine(item, records, reason)
        )

    def _make(
        self, source: _Source, item: Item, records: Records, on_frame: Callable[[], object]
    ) -> dict[str, Any]:
        """Make an input's outputs and return its manifest."""
        started = time.monotonic()
        place = Place(self._job, self._store, records)
        made = make_outputs(source.path, item, place, model=self._model, on_frame=on_frame)
        source.require_unchanged()
        return {
            "input": item.name,
            "content_sha256": source.sha256,
            "status": "partial" if made.problems else "done",
            "frames": made.frames,
            "declared_frames": made.declared,
            "outputs": made.outputs,
            "problems": made.problems,
            "seconds": round(time.monotonic() - started, 3),
            "machine": platform.node(),
            "versions": self._versions,
        }


def _quarantine(item: Item, records: Records, reason: list[str]) -> Outcome:
    said: dict[str, Any] = {
        "input": item.name,
        "content_sha256": None,
        "status": "quarantined",
        "frames": 0,
        "declared_frames": None,
        "outputs": {},
        "problems": reason,
        "attempt": records.attempts(),
    }
    records.quarantine(said)
    return Outcome("quarantined", _entry(item, said))


def _entry(item: Item, said: dict[str, Any]) -> dict[str, Any]:
    """Return an input's line of the index: the same whoever made its outputs, and when."""
    entry: dict[str, Any] = {"input": item.name, "kind": item.kind}
    entry |= {name: said[name] for name in _INDEXED}
    if item.lerobot is not None:
        entry["lerobot"] = dict(item.lerobot)
    return entry


@dataclass(frozen=True)
class _Source:
    """An input on this machine: its path, the SHA-256 of its bytes, its size and time."""

    path: Path
    sha256: str
    state: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> _Source:
        state = _state(path)
        return cls(path, sha256_of(path), state)

    def require_unchanged(self) -> None:
        """Refuse masks of other bytes than those the key is made of: they would be kept for ever.

        Raises:
            DataError: The file has changed since it was hashed.
        """
        if _state(self.path) != self.state:
            raise DataError(self.path, "was changed while it was read; run the command again")


@contextlib.contextmanager
def _on_this_machine(item: Item) -> Iterator[_Source]:
    """Yield an input as a local file; one from elsewhere is fetched first.

    Raises:
        DataError: It cannot be read.
    """
    path = local_path(item.name)
    if path is not None:
        yield _hashed(path)
        return
    with tempfile.TemporaryDirectory(prefix="wristseg-") as folder:
        fetched = Path(folder) / PurePosixPath(item.name).name
        _fetch(item.name, fetched)
        yield _hashed(fetched)


def _hashed(path: Path) -> _Source:
    try:
        if not path.is_file():  # reading a FIFO would wait for a writer for ever
            raise DataError(path, "is no regular file" if path.exists() else "no such file")
        return _Source.of(path)
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror or error}") from error


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _fetch(address: str, target: Path) -> None:
    filesystem, path = filesystem_of(address)
    try:
        filesystem.get_file(path, str(target))
    except FileNotFoundError as error:
        raise DataError(address, "no such file") from error
    except Exception as error:  # each store has exceptions of its own
        raise DataError(address, f"cannot be fetched: {type(error).__name__}: {error}") from error
