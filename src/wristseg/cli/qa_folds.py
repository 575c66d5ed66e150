"""Train the models of ``wristseg qa``: one per fold of the recordings, kept for the next call."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra
from wristseg.cli.folds import fold_config, train_fold
from wristseg.configs import TrainConfig
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import CheckpointError, UsageError
from wristseg.labeling.config import QaConfig
from wristseg.recipes import recipe_options

if TYPE_CHECKING:
    from wristseg.data.labels import LabelledFrame
    from wristseg.data.split import Split
    from wristseg.labeling.qa_labels import AllLabels
    from wristseg.labeling.qa_models import Judges

__all__ = ["fold_judges"]

#: More models take longer and see hardly more frames each.
_MOST_FOLDS = 5


def fold_judges(config: QaConfig, labels: AllLabels) -> Judges:
    """Train one model per fold, or take those of an earlier call with the same labels and options.

    Raises:
        UsageError: There are too few recordings for folds, or options that cannot work.
        DataError: A class is labelled in one fold alone.
        TrainingError: A loss or a weight is not finite.
    """
    from wristseg.evaluate.folds import make_folds
    from wristseg.labeling.qa_models import Judges

    with needs_extra("train"):
        import wristseg.train.fit  # noqa: F401 - or a fold would fail after others were trained

    units = _units(labels.dataset.frames, by=config.split_by)
    count = config.folds or min(_MOST_FOLDS, len({unit.recording for unit in units}))
    if count < 2:
        raise UsageError(
            f"{config.dataset_path}: all frames are of one recording by their names, so no model "
            "can be trained without it; add --split-by frame, or give a model with --checkpoint"
        )
    options = _options(config, labels.paths, count)
    folds = make_folds(units, count)
    checkpoints = [
        _trained(options, split, config.folder / "folds" / f"fold_{number}", labels)
        for number, split in enumerate(folds, start=1)
    ]
    judged = [split.val for split in folds]
    return Judges.of_folds(checkpoints, judged, device=config.device, by=config.split_by)


def _units(frames: Sequence[LabelledFrame], *, by: str) -> list[LabelledFrame]:
    """Return the frames under the name of what has to stay together, as their recording.

    Frames whose images hold the same bytes stay together too: a model that saw one has seen both.
    """
    from wristseg.data.check_facts import duplicate_images

    name_of = {frame.stem: frame.recording if by == "recording" else frame.stem for frame in frames}
    for stems in duplicate_images(frames):
        first, *others = (name_of[stem] for stem in stems)
        for stem, name in name_of.items():
            if name in others:
                name_of[stem] = first
    return [dataclasses.replace(frame, recording=name_of[frame.stem]) for frame in frames]


def _options(config: QaConfig, paths: DatasetPaths, count: int) -> TrainConfig:
    """Return the options of all trainings together."""
    accelerator = {"cpu": "cpu", "mps": "mps", "auto": "auto"}.get(config.device, "gpu")
    return TrainConfig(
        **recipe_options("robust"),
        dataset_path=paths.dataset_path,
        annotations=paths.annotations,
        images=paths.images,
        selections=paths.selections,
        excluded=paths.excluded,
        epochs=config.epochs,
        img_height=config.img_height,
        img_width=config.img_width,
        batch_size=config.batch_size,
        pretrained=config.pretrained,
        seed=config.seed,
        accelerator=accelerator,  # type: ignore[arg-type]
        output_dir=config.folder,
        split_by=config.split_by,
        folds=count,
    )


def _trained(options: TrainConfig, split: Split, folder: Path, labels: AllLabels) -> Path:
    """Return the checkpoint of a fold; trains it, unless it was trained before."""
    checkpoint = folder / "last.ckpt"
    if _is_of(checkpoint, fold_config(options, folder), split, labels.dataset.sha256):
        print(f"{folder.name}: trained before on these labels, used again", file=sys.stderr)
        return checkpoint
    print(f"{folder.name}: {len(split.val)} frames to judge", file=sys.stderr)
    return train_fold(options, split, folder)


def _is_of(checkpoint: Path, options: TrainConfig, split: Split, dataset_sha256: str) -> bool:
    """Tell whether a finished training with these options, frames and labels left a checkpoint."""
    from wristseg.modeling.checkpoint import read_checkpoint_info
    from wristseg.train.record import plain_config

    if not (checkpoint.parent / "metrics.json").exists():  # the last file of a training
        return False
    try:
        info = read_checkpoint_info(checkpoint)
    except (CheckpointError, OSError):
        return False  # it is made again
    sides = {side: Counter(info.split.get(side, ())) for side in ("train", "val")}
    return (
        info.config == plain_config(options)
        and info.dataset_sha256 == dataset_sha256
        and sides == {"train": Counter(split.train), "val": Counter(split.val)}
    )
