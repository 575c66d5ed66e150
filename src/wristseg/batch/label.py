"""Stage ``wristseg label``: class masks for thousands of videos and images, on one machine or many.

In: inputs and a model. Out: a folder or an object store with one mask file per input and an index.
It can be stopped and killed at any time and started again: what is done is kept, what is not is
begun anew, what cannot be done is put into quarantine, and the bytes of all outputs are the same as
if nothing had happened. Called by ``cli.label``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wristseg.artifacts import git_commit, json_text, sha256_of, sweep_temporaries, versions
from wristseg.batch.config import LabelConfig
from wristseg.batch.index import INDEX, write_index
from wristseg.batch.inputs import find_items, part_of
from wristseg.batch.item import load_model
from wristseg.batch.job import Item, Job
from wristseg.batch.local_engine import Event, run_here, run_local
from wristseg.batch.progress import BatchProgress
from wristseg.batch.records import FOLDER, forget_quarantine
from wristseg.batch.store import local_path, open_store
from wristseg.batch.worker import Frames
from wristseg.classes import ClassTable
from wristseg.errors import CheckpointError, DataError, UsageError
from wristseg.lock import hold_lock, is_held
from wristseg.packed_file import SHIPPED_MODELS, model_path
from wristseg.predict.backend import default_threads
from wristseg.predict.segmenter import prefers_torch

__all__ = ["LabelSummary", "label", "make_job"]


@dataclass
class LabelSummary:
    """What a run found and made.

    Attributes:
        output: Folder or address of the outputs.
        facts: Counts of inputs and frames, as of ``BatchProgress.facts``.
        entries: This part's lines of the index.
        problems: One line per input that is not done.
    """

    output: str
    facts: dict[str, Any] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def label(config: LabelConfig) -> LabelSummary:
    """Label everything that ``config`` names.

    Returns:
        What was made; look at ``problems``.

    Raises:
        UsageError: Nothing to label, or an option that cannot work; the output is in use.
        CheckpointError: The model file cannot be used.
        DataError: An input does not exist, or stands where the output should be.
        OSError: Outputs cannot be written.
    """
    found = find_items(config.inputs, camera=config.camera)
    _refuse_own_outputs(config, found)
    items = part_of(found, config.part)
    if not items:
        raise UsageError(f"--shard {config.shard}: there are fewer inputs than parts")
    job = make_job(config)
    store = open_store(config.output)
    summary = LabelSummary(config.output)
    with _alone(config, job):
        # In this process first: a bad model is told once, and a checkpoint is exported once.
        classes = load_model(job).classes
        store.write_text("job.json", json_text(_record(job, classes)))
        if config.retry_quarantined:
            forget_quarantine(store)
        workers = _workers(config)
        with (
            BatchProgress(len(items), workers=workers) as progress,
            closing(_run(config, job, items)) as events,
        ):
            for event in events:
                if isinstance(event, Frames):
                    progress.add_frames(event.count)
                    continue
                progress.add(event)
                summary.entries.append(dict(event.entry))
            summary.facts = progress.facts()
        write_index(store, summary.entries, job=job.digest(), part=config.part)
    summary.problems = [
        f"{entry['input']}: {entry['status']}: {'; '.join(entry['problems'])}"
        for entry in sorted(summary.entries, key=lambda entry: str(entry["input"]))
        if entry["status"] != "done"
    ]
    return summary


def make_job(config: LabelConfig) -> Job:
    """Return what every worker has to know.

    Raises:
        CheckpointError: There is no such model file.
    """
    path = model_path(config.checkpoint)
    if not path.is_file():
        raise CheckpointError(
            f"{config.checkpoint}: no such model file; expected the path of one, or one of sim, "
            f"{', '.join(SHIPPED_MODELS)}"
        )
    sha256 = sha256_of(path)
    return Job(
        output=config.output,
        checkpoint=config.checkpoint,
        model_sha256=sha256,
        device=config.device,
        runtime=_runtime(config.device, path),
        masks=config.masks,
        coco=config.coco,
        origin=f"wristseg {versions()['wristseg']}, checkpoint SHA-256 {sha256}",
        attempts=config.attempts,
        verify=config.verify,
    )


def _runtime(device: str, path: Path) -> str | None:
    """Choose what runs the model, the same on every machine: masks differ by rounding."""
    asked = os.environ.get("WRISTSEG_RUNTIME", "auto")
    if asked != "auto":
        return asked
    if path.suffix.lower() == ".xml":
        return "openvino"
    exported = path.suffix.lower() == ".onnx"
    return "torch" if not exported and prefers_torch(device) else "onnxruntime"


def _run(config: LabelConfig, job: Job, items: Sequence[Item]) -> Generator[Event, None, None]:
    if config.engine == "ray":
        from wristseg.batch.ray_engine import run_ray

        return run_ray(job, items, workers=config.workers, address=config.address)
    if config.workers == 0:
        return run_here(job, items)
    workers = _workers(config)
    assert workers is not None
    return run_local(job, items, workers=workers, timeout_s=config.timeout_s)


def _workers(config: LabelConfig) -> int | None:
    """Return the number of workers; None where Ray finds out how many there is room for."""
    if config.workers is not None:
        return max(1, config.workers)
    return None if config.engine == "ray" else default_threads()


def _refuse_own_outputs(config: LabelConfig, items: Sequence[Item]) -> None:
    folder = local_path(config.output)
    for item in items:
        path = local_path(item.name)
        inside = (
            item.name.startswith(f"{config.output.rstrip('/')}/")
            if folder is None or path is None
            # Path.resolve fails at a link that leads to itself.
            else Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
        )
        if inside:
            raise UsageError(
                f"--output {config.output}: holds the input {item.name}, and the next run would "
                "take masks for inputs; choose a folder without inputs"
            )


@contextlib.contextmanager
def _alone(config: LabelConfig, job: Job) -> Iterator[None]:
    """Keep a second run of the same part out of an output folder, and clean up after killed ones.

    Parts of one job share the folder; another job, or one that is divided in another way, would
    take the index from them.

    Raises:
        DataError: A file stands where the folder should be.
        UsageError: Another run holds the folder.
    """
    folder = local_path(config.output)
    if folder is None:  # object stores have no locks; double work does no harm there
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise DataError(folder, "is a file where a folder for the results is needed")
    folder.mkdir(parents=True, exist_ok=True)
    number, parts = config.part
    busy = (
        f"--output {config.output}: another wristseg label writes part {number + 1}/{parts} there; "
        "wait for it, or choose another folder"
    )
    ours = f"-of-{parts}-{job.digest()}"
    with hold_lock(folder / f".lock-{number + 1}{ours}", otherwise=busy):
        for lock in folder.glob(".lock-*"):
            if not lock.name.endswith(ours) and is_held(lock):
                raise UsageError(
                    f"--output {config.output}: another wristseg label writes there, with another "
                    f"model, other options or another division than {parts} parts; wait for it, "
                    "or choose another folder"
                )
        _sweep(folder)
        yield
        _sweep(folder)


def _sweep(folder: Path) -> None:
    for place in (folder, folder / "parts", *(folder / FOLDER).glob("*")):
        sweep_temporaries(place)


def _record(job: Job, classes: ClassTable) -> dict[str, Any]:
    """Say where all of it comes from."""
    return {
        "command": "wristseg label",
        "checkpoint": job.checkpoint,
        "checkpoint_sha256": job.model_sha256,
        "runtime": job.runtime,
        "masks": job.masks,
        "coco": job.coco,
        "classes": classes.to_dict(),
        "index": INDEX,
        "git_commit": git_commit(),
        "versions": versions(),
    }
