"""The training stage: from the options to a run folder with ``best.ckpt``.

``train`` checks the data, takes the run folder (an earlier run moves into its archive), fits with
Lightning and leaves checkpoints, numbers and pictures. Called by ``wristseg train`` and the demo.
"""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import cv2
import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from wristseg.configs import TrainConfig
from wristseg.data.frames import EpochBatches, make_loader
from wristseg.data.split import write_split
from wristseg.errors import DataError, UsageError
from wristseg.modeling.safe_load import load_untrusted
from wristseg.modeling.weights import load_start_weights
from wristseg.train.checkpoints import BEST, AtomicCheckpointIO, RunCheckpoints, find_resume_point
from wristseg.train.data import TrainingData, load_training_data
from wristseg.train.history import History
from wristseg.train.machine import keep_freed_memory
from wristseg.train.module import EfficientViTSegModule
from wristseg.train.optimizer import OptimizerPlan, weight_average
from wristseg.train.outputs import draw_first_batch, finish_run
from wristseg.train.progress import TrainingProgress
from wristseg.train.record import build_record, plain_config
from wristseg.train.run_folder import archive_earlier_run, hold_run_folder, write_config

__all__ = ["TrainSummary", "train"]

#: Options that a resumed run may change: where files lie and on what it runs. Other devices may
#: change the global batch; that is for the one who adds them to know.
_FREE_ON_RESUME = frozenset(
    {
        *("dataset_path", "images", "annotations", "selections", "excluded", "masks_dir"),
        *("mix", "output_dir", "resume", "pretrained", "num_classes", "patience", "num_workers"),
        *("accelerator", "devices", "num_nodes", "strategy", "precision"),
        *("cache_gib", "compile"),
    }
)


@dataclass(frozen=True)
class TrainSummary:
    """What a training came to.

    Attributes:
        run_dir: The run folder.
        best_checkpoint: Its ``best.ckpt``.
        val_iou: Best val/iou.
        per_class_iou: IoU by class name at that epoch; None where a class never occurred.
        best_epoch: Epoch of it, from 0.
        epochs: Epochs trained in all, those before a resume included.
        seconds: Time of this call.
        archived: Where an earlier run's files were moved to, or None.
    """

    run_dir: Path
    best_checkpoint: Path
    val_iou: float
    per_class_iou: dict[str, float | None]
    best_epoch: int
    epochs: int
    seconds: float
    archived: Path | None


def train(
    config: TrainConfig, *, console: Console | None = None, split_file: Path | None = None
) -> TrainSummary:
    """Train a network and leave its run folder.

    A finished run that was stopped before its ``report.html`` was written is not trained again:
    with ``resume`` its summary is returned, from which the caller writes the report.

    Args:
        config: Options of the training.
        console: Where progress goes; stderr where not given.
        split_file: A ``split.json`` of the same frames to use instead of drawing a split.

    Raises:
        UsageError: Options that cannot work, or the folder is in use.
        DataError: The data set breaks a rule; nothing was written.
        CheckpointError: Start weights or the run to resume cannot be read.
        TrainingError: The loss or a weight is not finite.
    """
    started = time.monotonic()
    keep_freed_memory()
    console = console or Console(stderr=True)
    console.quiet = console.quiet or not _is_main()
    if config.resume and _lacks_report(config.output_dir):
        console.print("the training is finished; only its report is missing", highlight=False)
        return _summarize_finished(config.output_dir)
    with _quiet_libraries():
        trainer = _make_trainer(config, console)
        resumed = _resume_point(config, console) if config.resume else None
        data = load_training_data(
            config,
            split_file=config.output_dir / "split.json" if config.resume else split_file,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        module, source = _make_module(config, data, resumed, console)
        _describe(config, data, console)
        holder = hold_run_folder(config.output_dir) if _is_main() else contextlib.nullcontext()
        with holder:
            archived = None
            if resumed is None and _is_main():
                archived = _start_folder(config, data, console)
            module.record = _record(config, data, source)
            _fit(trainer, module, config, data, resumed)
            if _is_main():
                finish_run(config.output_dir, data, device=trainer.strategy.root_device)
            trainer.strategy.barrier()
            return _summarize(config.output_dir, trainer, archived, time.monotonic() - started)


def _make_trainer(config: TrainConfig, console: Console) -> pl.Trainer:
    uses_cuda = config.accelerator in {"auto", "gpu"} and torch.cuda.is_available()
    automatic: Literal["16-mixed", "32-true"] = "16-mixed" if uses_cuda else "32-true"
    folder = config.output_dir
    checkpoints = RunCheckpoints(folder)
    averages = [] if config.ema is None else [weight_average(config.ema)]
    try:
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=config.strategy,
            precision=automatic if config.precision == "auto" else config.precision,
            sync_batchnorm=uses_cuda,
            max_epochs=config.epochs,
            callbacks=[
                *averages,
                EarlyStopping("val/iou", mode="max", patience=config.patience),
                History(folder / "results.csv"),
                TrainingProgress(console, checkpoints),
                checkpoints,
            ],
            logger=TensorBoardLogger(folder, name="tensorboard", version=""),
            plugins=[AtomicCheckpointIO()],
            default_root_dir=folder,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # EpochBatches divides the frames
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"--accelerator {config.accelerator} --devices {config.devices} --strategy "
            f"{config.strategy} --precision {config.precision}: {error}"
        ) from error


def _resume_point(config: TrainConfig, console: Console) -> Path:
    """Return the checkpoint to go on from, after comparing its options with those given."""
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


def _make_module(
    config: TrainConfig, data: TrainingData, resumed: Path | None, console: Console
) -> tuple[EfficientViTSegModule, str]:
    """Return the module with its start weights, and the name of their source."""
    pl.seed_everything(config.seed, verbose=False)
    module = EfficientViTSegModule(
        num_classes=len(data.dataset.classes),
        lr=config.lr,
        weight_decay=config.weight_decay,
        img_height=config.img_height,
        img_width=config.img_width,
        loss_type=config.loss,
        unlabeled=config.unlabeled,
        plan=OptimizerPlan(lr_backbone=config.lr_backbone, warmup=config.warmup),
    )
    if resumed is not None:
        said = load_untrusted(resumed)["wristseg"]
        mix_sha256 = None if data.mix is None else data.mix.sha256
        for path, before, now in (
            (config.dataset_path, said.get("dataset_sha256"), data.dataset.sha256),
            (config.mix, said.get("mix_sha256"), mix_sha256),
        ):
            if before != now:
                raise DataError(
                    path, "the data set has changed since the run began; train without --resume"
                )
        source = str(said.get("weights_source"))
    else:
        weights = load_start_weights(
            module.network, config.pretrained, size_hw=(config.img_height, config.img_width)
        )
        console.print(weights.message, highlight=False, soft_wrap=True)
        source = weights.source
    # Channels last is a sixth faster on CPUs (0.94 to 0.78 s a step) and suits tensor cores.
    module.network.to(memory_format=torch.channels_last)
    if config.compile:
        module.compile_network()
    return module, source


def _start_folder(config: TrainConfig, data: TrainingData, console: Console) -> Path | None:
    """Move an earlier run aside and write what is known before the first step."""
    folder = config.output_dir
    archived = archive_earlier_run(folder)
    if archived is not None:
        console.print(f"earlier run moved to {archived}", highlight=False, soft_wrap=True)
    write_config(folder, config)
    origin = {
        "seed": config.seed,
        "val_fraction": config.val_fraction,
        "split_by": config.split_by,
        "dataset_sha256": data.dataset.sha256,
        "val_with_neighbour_in_train": data.neighbours,
    }
    write_split(folder / "split.json", data.split, origin=origin)
    draw_first_batch(folder, data, config)
    return archived


def _record(config: TrainConfig, data: TrainingData, source: str) -> dict[str, Any]:
    return build_record(
        config,
        classes=data.dataset.classes,
        contract=data.contract,
        split=data.split,
        dataset_sha256=data.dataset.sha256,
        weights_source=source,
        mix=data.mix,
    )


def _fit(
    trainer: pl.Trainer,
    module: EfficientViTSegModule,
    config: TrainConfig,
    data: TrainingData,
    resumed: Path | None,
) -> None:
    batches = data.batches(config, rank=trainer.global_rank, world_size=trainer.world_size)
    in_order = EpochBatches(len(data.val), config.batch_size, seed=None)
    try:
        trainer.fit(
            module,
            make_loader(data.source, batches, num_workers=config.num_workers),
            make_loader(data.val, in_order, num_workers=config.num_workers),
            ckpt_path=resumed,
        )
    except SystemExit:
        # Lightning ends the process with code 1 on Ctrl-C and leaves the key without effect.
        if trainer.interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
        raise


def _lacks_report(folder: Path) -> bool:
    return (folder / "metrics.json").exists() and not (folder / "report.html").exists()


def _summarize_finished(folder: Path) -> TrainSummary:
    said = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return TrainSummary(
        run_dir=folder,
        best_checkpoint=folder / BEST,
        val_iou=said["val/iou"],
        per_class_iou=said["per_class_iou"],
        best_epoch=said["best_epoch"],
        epochs=said["epochs"],
        seconds=said["seconds"],
        archived=None,
    )


def _summarize(
    folder: Path, trainer: pl.Trainer, archived: Path | None, seconds: float
) -> TrainSummary:
    best = load_untrusted(folder / BEST)["wristseg"]["metrics"]
    return TrainSummary(
        run_dir=folder,
        best_checkpoint=folder / BEST,
        val_iou=best["val/iou"],
        per_class_iou=best["per_class_iou"],
        best_epoch=best["epoch"],
        epochs=trainer.current_epoch,
        seconds=seconds,
        archived=archived,
    )


def _describe(config: TrainConfig, data: TrainingData, console: Console) -> None:
    height, width = config.size_hw
    console.print(
        f"{len(data.split.train)} training and {len(data.split.val)} validation frames, network "
        f"input {height}x{width} (h x w), loss {config.loss}, augmentation {data.recipe}"
        f"{_describe_levers(config, data)}; "
        f"{data.neighbours} validation frames have a neighbour of their recording in training",
        highlight=False,
        soft_wrap=True,
    )


def _describe_levers(config: TrainConfig, data: TrainingData) -> str:
    parts = []
    if config.shadows > 0.0:
        parts.append(f"shadows on {config.shadows:.0%}")
    if config.paste > 0.0:
        cutouts = 0 if data.train.paster is None else len(data.train.paster.cutouts)
        parts.append(f"{cutouts} cubes to paste into {config.paste:.0%}")
    if data.mix is not None:
        parts.append(
            f"{config.mixed_per_batch} of {config.batch_size} frames a batch from the "
            f"{len(data.mix.frames)} of {config.mix}"
        )
    return "".join(f", {part}" for part in parts)


def _is_main() -> bool:
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep Lightning's hints out of the progress, and OpenCV to the one thread that calls it."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Lightning 2.6 with torch 2.9 and later: isinstance on a class torch has renamed.
            warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
            yield
    finally:
        cv2.setNumThreads(threads)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
