"""Going on with a stopped run: where from, and whether options and data are still its own.

In: ``--resume`` and the run folder. Out: the checkpoint to go on from. Called by ``train.fit``.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from rich.console import Console

from wristseg.configs import TrainConfig
from wristseg.errors import DataError, UsageError
from wristseg.modeling.safe_load import load_untrusted
from wristseg.train.checkpoints import find_resume_point
from wristseg.train.data import TrainingData
from wristseg.train.record import plain_config

__all__ = ["parts_of_run", "resume_point", "resumed_source"]

#: Options that a resumed run may change: where files lie and on what it runs. Other devices may
#: change the global batch; that is for the one who adds them to know.
_FREE_ON_RESUME = frozenset(
    {
        *("dataset_path", "images", "annotations", "selections", "excluded", "masks_dir"),
        *("mix", "output_dir", "resume", "pretrained", "num_classes", "patience", "num_workers"),
        *("accelerator", "devices", "num_nodes", "strategy", "precision"),
        "process_timeout_s",
        *("cache_gib", "compile"),
    }
)


def resume_point(config: TrainConfig, console: Console) -> Path:
    """Return the checkpoint to go on from, after comparing its options with those given.

    Raises:
        UsageError: The run is finished, is none of ``wristseg train``, or had other options.
        CheckpointError: No checkpoint of it can be read.
    """
    folder = config.output_dir
    if (folder / "metrics.json").exists():
        raise UsageError(
            f"--resume: the run in {folder} is finished; train without --resume (its files are "
            "kept in archive/), or start from it with --pretrained"
        )
    path, warning = find_resume_point(folder)
    if warning is not None:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)
    before = load_untrusted(path).get("wristseg", {}).get("config")
    if before is None:
        raise UsageError(f"--resume: {path} was not written by wristseg train")
    # Options that an older version did not know had the effect that their defaults have.
    before = {field.name: field.default for field in fields(config)} | before
    now = plain_config(config)
    changed = [
        f"--{name.replace('_', '-')} {now[name]} (the run: {before[name]})"
        for name in now.keys() - _FREE_ON_RESUME
        if now[name] != before[name]
    ]
    if changed:
        raise UsageError(
            f"--resume goes on with the run's own options; different: {', '.join(sorted(changed))}"
        )
    return path


def resumed_source(checkpoint: Path, config: TrainConfig, data: TrainingData) -> str:
    """Return which weights the run to resume began with, if its data are still the same.

    Raises:
        DataError: A data set has changed since.
    """
    said = load_untrusted(checkpoint)["wristseg"]
    mix_sha256 = None if data.mix is None else data.mix.sha256
    for path, before, now in (
        (config.dataset_path, said.get("dataset_sha256"), data.dataset.sha256),
        (config.mix, said.get("mix_sha256"), mix_sha256),
    ):
        if before != now:
            raise DataError(
                path, "the data set has changed since the run began; train without --resume"
            )
    return str(said.get("weights_source"))


def parts_of_run(checkpoint: Path | None) -> int:
    """Return into how many parts the run to resume splits its batches; 1 for a new run.

    A run that goes on splits them as before even where memory would do: statistics of a batch
    follow from its parts, and the run would not be the same.
    """
    if checkpoint is None:
        return 1
    return int(load_untrusted(checkpoint)["wristseg"].get("batch_parts", 1))
