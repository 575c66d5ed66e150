"""Time epochs of training: ``wristseg train`` and the plain script, as commands, in turns.

In: a ``Run`` with a data set. Out: ``Work`` rows. Called by ``benchmark.benchmark``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from wristseg.benchmark.contestants import plain_masks
from wristseg.benchmark.plan import TrainingWork, size_name
from wristseg.benchmark.process import run_timed
from wristseg.benchmark.results import Work
from wristseg.benchmark.rounds import take_turns
from wristseg.benchmark.run import Run
from wristseg.benchmark.summary import summarize

__all__ = ["measure_trainings"]


def measure_trainings(run: Run) -> None:
    """Time epochs, validation and checkpoints included, by the time stamps of their logs."""
    split = _write_split(run)
    turns: dict[str, Callable[[], list[float]]] = {}
    for training in run.plan.trainings:
        size = size_name(training.size_hw)
        turns[f"wristseg {size}"] = partial(_train_own, run, training)
        if run.plain is not None:
            turns[f"plain {size}"] = partial(_train_plain, run, training, split)
    if run.plain is not None:
        _draw_plain_masks(run)
    found = take_turns(turns, rounds=run.plan.train_rounds, seed=run.seed, done=run.advance)
    frames = sum(len(stems) for stems in json.loads(split.read_text(encoding="utf-8")).values())
    for name, rounds in found.items():
        contestant, size = name.split()
        seconds = summarize([value for epochs in rounds for value in epochs])
        run.results.works.append(Work(f"training {size}", contestant, "epoch", seconds, frames))


def _write_split(run: Run) -> Path:
    """Write the split that ``wristseg train`` draws by default, for the plain implementation."""
    from wristseg.configs import TrainConfig
    from wristseg.data.labels import load_labels
    from wristseg.data.split import make_split
    from wristseg.dataset_paths import DatasetPaths

    assert run.dataset is not None
    defaults = TrainConfig(run.dataset)
    frames = load_labels(DatasetPaths(run.dataset)).frames
    split = make_split(frames, val_fraction=defaults.val_fraction, seed=defaults.seed)
    path = run.scratch / "split.json"
    path.write_text(json.dumps({"train": split.train, "val": split.val}), encoding="utf-8")
    return path


def _draw_plain_masks(run: Run) -> None:
    selections = Path(str(run.dataset)) / "selections.json"
    command = [sys.executable, str(plain_masks(run.plain)), "--dataset", str(run.dataset)]
    command += ["--output", str(_masks_of(run)), "--selections", str(selections)]
    run_timed(command, run.log)


def _masks_of(run: Run) -> Path:
    return run.scratch / "training_masks"


def _train_own(run: Run, training: TrainingWork) -> list[float]:
    folder = run.scratch / "training"
    command = [sys.executable, "-m", "wristseg", "train", "--dataset-path", str(run.dataset)]
    command += ["--output-dir", str(folder), "--pretrained", "none"]
    return _timed_epochs(run, command, folder, training, epochs=training.own_epochs)


def _train_plain(run: Run, training: TrainingWork, split: Path) -> list[float]:
    folder = run.scratch / "plain_training"
    command = [sys.executable, str(run.plain), "--dataset", str(run.dataset)]
    command += ["--output", str(folder), "--masks", str(_masks_of(run)), "--split", str(split)]
    command += ["--num-workers", str(training.plain_workers)]
    return _timed_epochs(run, command, folder, training, epochs=training.plain_epochs)


def _timed_epochs(
    run: Run, command: list[str], folder: Path, training: TrainingWork, *, epochs: int
) -> list[float]:
    """Train and return the seconds of each epoch but the first, in which memory is first touched.

    They lie between the times at which val/iou was logged, so that checkpoints count as well.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shutil.rmtree(folder, ignore_errors=True)
    height, width = training.size_hw
    options = ["--img-height", str(height), "--img-width", str(width)]
    options += ["--batch-size", str(training.batch_size), "--epochs", str(epochs)]
    run_timed([*command, *options], run.log)
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    times = [event.wall_time for event in events.Scalars("val/iou")]
    return [later - earlier for earlier, later in pairwise(times)]
