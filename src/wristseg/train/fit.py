"""The training stage: from the options to a run folder with ``best.ckpt``.

``train`` checks the data, takes the run folder (an earlier run moves into its archive), fits with
Lightning and leaves checkpoints, numbers and pictures. Called by ``wristseg train`` and the demo.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from rich.console import Console

from wristseg.configs import TrainConfig
from wristseg.data.frames import EpochBatches, make_loader
from wristseg.data.split import write_split
from wristseg.modeling.weights import load_start_weights
from wristseg.train.checkpoints import LAST
from wristseg.train.data import TrainingData, load_training_data
from wristseg.train.machine import keep_freed_memory
from wristseg.train.memory import (
    SplitBatches,
    is_out_of_memory,
    more_parts,
    part_size,
    release_memory,
)
from wristseg.train.module import EfficientViTSegModule
from wristseg.train.optimizer import OptimizerPlan
from wristseg.train.outputs import draw_first_batch, finish_run
from wristseg.train.processes import ends_together
from wristseg.train.record import build_record
from wristseg.train.resume import parts_of_run, resume_point, resumed_source
from wristseg.train.run_folder import archive_earlier_run, hold_run_folder, write_config
from wristseg.train.summary import TrainSummary, lacks_report, summarize, summarize_finished
from wristseg.train.trainer import is_main, make_trainer, quiet_libraries

__all__ = ["train"]


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
        TrainingError: A loss or weight is not finite, memory is too small for a single frame, or
            another process has ended.
    """
    started = time.monotonic()
    keep_freed_memory()
    console = console or Console(stderr=True)
    console.quiet = console.quiet or not is_main()
    if config.resume and lacks_report(config.output_dir):
        console.print("the training is finished; only its report is missing", highlight=False)
        return summarize_finished(config.output_dir)
    with quiet_libraries():
        # One fold of several is no command of its own.
        trainer = make_trainer(config, console, resumable=split_file is None)
        resumed = resume_point(config, console) if config.resume else None
        data = load_training_data(
            config,
            split_file=config.output_dir / "split.json" if config.resume else split_file,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        module, source = _make_module(config, data, resumed, console)
        _describe(config, data, console)
        holder = hold_run_folder(config.output_dir) if is_main() else contextlib.nullcontext()
        with holder:
            archived = None
            if resumed is None and is_main():
                archived = _start_folder(config, data, console)
            module.record = _record(config, data, source)
            with ends_together(trainer):
                trainer = _fit_in_memory(
                    trainer, module, config, data, resumed=resumed, console=console
                )
                return _finished(trainer, config, data, archived=archived, started=started)


def _finished(
    trainer: pl.Trainer,
    config: TrainConfig,
    data: TrainingData,
    *,
    archived: Path | None,
    started: float,
) -> TrainSummary:
    """Write the run's results in the first process, and return their summary in each."""
    summary = None
    if is_main():
        finish_run(config.output_dir, data, device=trainer.strategy.root_device)
        summary = summarize(
            config.output_dir,
            epochs=trainer.current_epoch,
            archived=archived,
            seconds=time.monotonic() - started,
        )
    # Other machines may not see the run folder.
    summary = trainer.strategy.broadcast(summary)
    assert summary is not None
    return summary


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
        plan=OptimizerPlan(
            lr_backbone=config.lr_backbone, warmup=config.warmup, kernel_lr=config.kernel_lr
        ),
    )
    if resumed is not None:
        source = resumed_source(resumed, config, data)
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
        observation=data.observation,
        split=data.split,
        dataset_sha256=data.dataset.sha256,
        weights_source=source,
        mix=data.mix,
    )


def _fit_in_memory(
    trainer: pl.Trainer,
    module: EfficientViTSegModule,
    config: TrainConfig,
    data: TrainingData,
    *,
    resumed: Path | None,
    console: Console,
) -> pl.Trainer:
    """Train with whole batches or, where memory is too small, with parts; return the trainer.

    Raises:
        TrainingError: A single frame does not fit, or a loss or weight is not finite.
    """
    record, parts = module.record or {}, parts_of_run(resumed)
    while True:
        module.record = {**record, "batch_parts": parts}
        if parts > 1:
            trainer = make_trainer(config, console, parts=parts)
        if _fits(trainer, module, config, data, resumed=resumed, parts=parts):
            return trainer
        parts = more_parts(parts, config, world_size=trainer.world_size)
        release_memory()
        console.print(
            f"warning: out of memory; going on with each batch of {config.batch_size} in {parts} "
            f"parts of at most {part_size(config.batch_size, parts)} frames",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
        last = config.output_dir / LAST
        resumed = last if last.exists() else None
        module, _ = _make_module(config, data, resumed, console)


def _fits(
    trainer: pl.Trainer,
    module: EfficientViTSegModule,
    config: TrainConfig,
    data: TrainingData,
    *,
    resumed: Path | None,
    parts: int,
) -> bool:
    """Train; tell whether memory was large enough for it."""
    batches = data.batches(config, rank=trainer.global_rank, world_size=trainer.world_size)
    if parts > 1:
        batches = SplitBatches(batches, parts)
    in_order = EpochBatches(len(data.val), part_size(config.batch_size, parts), seed=None)
    try:
        trainer.fit(
            module,
            make_loader(data.source, batches, num_workers=config.num_workers),
            make_loader(data.val, in_order, num_workers=config.num_workers),
            ckpt_path=resumed,
        )
    except RuntimeError as error:
        # The error keeps the step's tensors alive; with this block they go.
        if not is_out_of_memory(error):
            raise
        return False
    except SystemExit:
        # Lightning ends the process with code 1 on Ctrl-C and leaves the key without effect.
        if trainer.interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
        raise
    return True


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
