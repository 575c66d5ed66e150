"""``wristseg train --folds``: train one model per fold, and print the figures of all together.

``wristseg qa`` trains its models by the same functions.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra
from wristseg.cli.val import print_measured
from wristseg.configs import TrainConfig
from wristseg.errors import UsageError

if TYPE_CHECKING:
    from wristseg.data.labels import LabelledDataset
    from wristseg.data.split import Split
    from wristseg.evaluate.frames import Evaluation
    from wristseg.evaluate.measure import Measured
    from wristseg.predict import Segmenter

__all__ = ["cross_validate", "fold_config", "train_fold"]


def cross_validate(config: TrainConfig, count: int) -> int:
    """Train and measure ``count`` models, each without one fold of the recordings.

    Every model is trained to its last epoch and judged as it is then: early stopping and
    ``best.ckpt`` would choose by the frames that are to judge it.

    Raises:
        UsageError: There are fewer recordings than folds, or several devices were asked for.
        DataError: The data set breaks a rule, or a fold leaves a class without training frames.
    """
    from wristseg.data.labels import load_labels
    from wristseg.evaluate.folds import make_folds, pool_folds

    started_by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    if started_by_torchrun or config.num_nodes > 1 or config.devices not in {"auto", "1"}:
        raise UsageError(
            "--folds: trains on one device; leave out torchrun, --devices, --num-nodes"
        )
    with needs_extra("train"):
        from wristseg.train.run_folder import archive_earlier_run

    labels = load_labels(config.dataset(), masks_dir=config.masks_dir)
    folds = make_folds(labels.frames, count)
    folder = config.output_dir / "folds"
    archive_earlier_run(folder)
    trained = [
        _train_fold(config, split, folder / f"fold_{number}", labels)
        for number, split in enumerate(folds, start=1)
    ]
    measured = pool_folds([evaluation for _, evaluation in trained], seed=config.seed)
    models = {
        stem: segmenter
        for split, (segmenter, _) in zip(folds, trained, strict=True)
        for stem in split.val
    }
    _write(config, folder, measured, labels, models)
    print_measured(measured)
    for split, (_, evaluation) in zip(folds, trained, strict=True):
        print(f"fold of {len(split.val)} frames: val/iou {evaluation.mean_iou:.3f}")
    print(f"report: {folder / 'report.html'}")
    print(f"metrics: {folder / 'metrics.json'}")
    return 0


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
    folder: Path,
    measured: Measured,
    labels: LabelledDataset,
    models: dict[str, Segmenter],
) -> None:
    from wristseg.artifacts import write_json
    from wristseg.evaluate.frames import segment_labelled
    from wristseg.evaluate.galleries import frame_galleries
    from wristseg.evaluate.report import ReportText, origin_rows, write_report
    from wristseg.evaluate.validate import confusion_plot
    from wristseg.train.record import plain_config

    text = ReportText(
        title=f"Cross-validation on {config.dataset_path.resolve().name}",
        lead=f"{config.folds} folds by recording, network input "
        f"{config.img_height}x{config.img_width} (h x w), {config.epochs} epochs each.",
        tiles=(("folds", str(config.folds)),),
        next_steps=(
            (
                "Train the model to use, on all recordings:",
                f"wristseg train --dataset-path {config.dataset_path}",
            ),
        ),
    )
    galleries = frame_galleries(
        lambda frame: segment_labelled(models[frame.stem], labels, frame), measured.evaluation
    )
    origin = origin_rows(next(iter(models.values())).info)
    write_report(
        folder / "report.html",
        measured,
        text=text,
        plots=[confusion_plot(measured)],
        galleries=galleries,
        origin=origin,
    )
    record = {"config": plain_config(config), "dataset_sha256": labels.sha256}
    write_json(folder / "metrics.json", {**record, **measured.record()})
