"""``wristseg train --folds``: train one model per fold, and print the figures of all together.

``wristseg qa`` trains its models by the same functions.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra
from wristseg.cli.val import print_measured
from wristseg.configs import TrainConfig
from wristseg.errors import UsageError
from wristseg.recipes import recipe_options

if TYPE_CHECKING:
    from wristseg.data.labels import LabelledDataset
    from wristseg.data.split import Split
    from wristseg.evaluate.folds import FoldResult
    from wristseg.evaluate.frames import Evaluation
    from wristseg.evaluate.measure import Measured
    from wristseg.evaluate.report import Table
    from wristseg.predict import Segmenter

__all__ = ["cross_validate", "fold_config", "train_command", "train_fold"]


def cross_validate(config: TrainConfig, count: int) -> int:
    """Train and measure ``count`` models, each without one fold of the recordings.

    Every model is trained to its last epoch and judged as it is then: early stopping and
    ``best.ckpt`` would choose by the frames that are to judge it.

    Raises:
        UsageError: There are fewer recordings than folds, several devices were asked for, or
            another cross-validation writes there.
        DataError: The data set breaks a rule, or a fold leaves a class without training frames.
    """
    from wristseg.data.labels import load_labels
    from wristseg.evaluate.folds import fold_results, make_folds, pool_folds

    started_by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    if started_by_torchrun or config.num_nodes > 1 or config.devices not in {"auto", "1"}:
        raise UsageError(
            "--folds: trains on one device; leave out torchrun, --devices, --num-nodes"
        )
    with needs_extra("train"):
        from wristseg.train.run_folder import archive_earlier_run, hold_run_folder

    labels = load_labels(config.dataset(), masks_dir=config.masks_dir)
    folds = make_folds(labels.frames, count)
    folder = config.output_dir / "folds"
    with hold_run_folder(folder):
        models = [path.name for path in folder.glob("fold_*")]
        archive_earlier_run(folder, (*models, "metrics.json", "report.html"))
        trained = []
        for number, split in enumerate(folds, start=1):
            print(f"fold {number} of {count}", file=sys.stderr)
            trained.append(_train_fold(config, split, folder / f"fold_{number}", labels))
        evaluations = [evaluation for _, evaluation in trained]
        measured = pool_folds(evaluations, seed=config.seed)
        results = fold_results(evaluations)
        model_of = {
            stem: segmenter
            for split, (segmenter, _) in zip(folds, trained, strict=True)
            for stem in split.val
        }
        _write(config, measured, results, labels=labels, model_of=model_of)
    _print(measured, results)
    print(f"report: {folder / 'report.html'}")
    print(f"metrics: {folder / 'metrics.json'}")
    return 0


def _print(measured: Measured, results: Sequence[FoldResult]) -> None:
    print_measured(measured)
    for number, result in enumerate(results, start=1):
        held_out = f"{', '.join(result.recordings)}, {result.frames} frames"
        print(f"fold {number}, judged on {held_out}: val/iou {result.val_iou:.3f}")


def fold_config(config: TrainConfig, folder: Path) -> TrainConfig:
    """Return the options of one fold's training, whose run folder is ``folder``.

    It has no early stopping: the frames that would decide are those that the model is to judge.
    """
    return dataclasses.replace(
        config, folds=None, output_dir=folder, patience=config.epochs, devices="1"
    )


def train_fold(config: TrainConfig, split: Split, folder: Path) -> Path:
    """Train one model without the ``val`` side of a split.

    Args:
        config: Options of all folds together.
        split: Its ``val`` side is the fold.
        folder: Run folder of this model.

    Returns:
        The checkpoint of the last epoch.

    Raises:
        DataError: The data set breaks a rule, or a class has no training frames.
        TrainingError: The loss or a weight is not finite.
    """
    from wristseg.data.split import write_split
    from wristseg.train.fit import train

    split_file = folder.with_name(f"{folder.name}_split.json")
    origin = {"folds": config.folds, "split_by": config.split_by}
    write_split(split_file, split, origin=origin)
    train(fold_config(config, folder), split_file=split_file)
    split_file.unlink()  # the run folder has its own
    return folder / "last.ckpt"


def _train_fold(
    config: TrainConfig, split: Split, folder: Path, labels: LabelledDataset
) -> tuple[Segmenter, Evaluation]:
    from wristseg.evaluate.frames import evaluate
    from wristseg.predict import Segmenter

    segmenter = Segmenter.load(train_fold(config, split, folder), runtime="torch")
    held_out = set(split.val)
    frames = [frame for frame in labels.frames if frame.stem in held_out]
    return segmenter, evaluate(segmenter, labels, frames)


def _write(
    config: TrainConfig,
    measured: Measured,
    results: Sequence[FoldResult],
    *,
    labels: LabelledDataset,
    model_of: dict[str, Segmenter],
) -> None:
    from wristseg.artifacts import write_json
    from wristseg.evaluate.frames import segment_labelled
    from wristseg.evaluate.galleries import frame_galleries
    from wristseg.evaluate.report import ReportText, origin_rows, write_report
    from wristseg.evaluate.validate import confusion_plot
    from wristseg.model_info import json_values
    from wristseg.train.record import plain_config

    text = ReportText(
        title=f"Cross-validation on {config.dataset_path.resolve().name}",
        lead=f"{config.folds} folds by recording, network input "
        f"{config.img_height}x{config.img_width} (h x w), recipe {config.recipe}, epochs of each: "
        f"{config.epochs}.",
        tiles=(("folds", str(config.folds)),),
        next_steps=(
            (
                "Train the model to use, on all recordings:",
                train_command(config),
            ),
        ),
    )
    folder = config.output_dir / "folds"
    galleries = frame_galleries(
        lambda frame: segment_labelled(model_of[frame.stem], labels, frame), measured.evaluation
    )
    origin = origin_rows(next(iter(model_of.values())).info)
    write_report(
        folder / "report.html",
        measured,
        text=text,
        plots=[confusion_plot(measured)],
        galleries=galleries,
        origin=origin,
        tables=[_fold_table(results, measured)],
    )
    record = {
        "config": plain_config(config),
        "dataset_sha256": labels.sha256,
        "folds": json_values([vars(result) for result in results]),
    }
    write_json(folder / "metrics.json", {**record, **measured.record()})


def _fold_table(results: Sequence[FoldResult], measured: Measured) -> Table:
    from wristseg.evaluate.report import Table

    name = "object" if measured.object is None else measured.object.name
    unlabeled = measured.evaluation.classes.names[0]
    return Table(
        "Folds",
        "Each model, on the recordings that it was not trained on. Where one of them is far below "
        "the others, its recordings show something that the others do not.",
        ("fold", "recordings", "frames", "val/iou", f"without {unlabeled}", f"{name} found"),
        tuple(
            (
                str(number),
                ", ".join(result.recordings),
                str(result.frames),
                f"{result.val_iou:.3f}",
                f"{result.val_iou_named:.3f}",
                f"{result.found} of {result.labelled}",
            )
            for number, result in enumerate(results, start=1)
        ),
    )


def train_command(config: TrainConfig) -> str:
    """Return the command that trains one model by the options of all folds, on all recordings.

    >>> from pathlib import Path
    >>> train_command(TrainConfig(Path("data/mugs"), img_height=84, img_width=84, folds=5))
    'wristseg train --dataset-path data/mugs --img-height 84 --img-width 84'
    """
    usual = dataclasses.asdict(
        TrainConfig(config.dataset_path, **{**recipe_options(config.recipe), "mix": config.mix})
    )
    usual |= {"dataset_path": None, "recipe": "seed", "mix": None, "folds": config.folds}
    words = ["wristseg", "train"]
    for name, value in dataclasses.asdict(config).items():
        if value != usual[name]:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)
