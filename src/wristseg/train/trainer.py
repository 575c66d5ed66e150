"""Lightning's trainer as wristseg sets it up: callbacks, precision, no bars and no hints.

Called by ``train.fit``.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Literal

import cv2
import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from wristseg.configs import TrainConfig
from wristseg.errors import UsageError
from wristseg.train.checkpoints import AtomicCheckpointIO, RunCheckpoints
from wristseg.train.history import History
from wristseg.train.optimizer import weight_average
from wristseg.train.processes import SameInputs, make_strategy, process_layout
from wristseg.train.progress import TrainingProgress
from wristseg.train.sync_norm import SharedStatistics

__all__ = ["is_main", "make_trainer", "quiet_libraries"]


def make_trainer(
    config: TrainConfig, console: Console, *, parts: int = 1, resumable: bool = True
) -> pl.Trainer:
    """Return the trainer of a run.

    Args:
        config: Options of the training.
        console: Where progress goes.
        parts: Parts of a batch, which make one step together (``train.memory``).
        resumable: Whether ``--resume`` can go on with it, should it be stopped.

    Raises:
        UsageError: Accelerator, devices, strategy and precision do not go together here.
    """
    uses_cuda = config.accelerator in {"auto", "gpu"} and torch.cuda.is_available()
    automatic: Literal["16-mixed", "32-true"] = "16-mixed" if uses_cuda else "32-true"
    folder = config.output_dir
    checkpoints = RunCheckpoints(folder)
    averages = [] if config.ema is None else [weight_average(config.ema)]
    devices, num_nodes = process_layout(config)
    shared = [SharedStatistics(on_gpus=uses_cuda)] if config.sync_bn else []
    try:
        return pl.Trainer(
            accelerator=config.accelerator,
            devices=devices,
            num_nodes=num_nodes,
            strategy=make_strategy(config, devices, num_nodes),
            precision=automatic if config.precision == "auto" else config.precision,
            max_epochs=config.epochs,
            accumulate_grad_batches=parts,
            callbacks=[
                SameInputs(),
                *averages,
                EarlyStopping("val/iou", mode="max", patience=config.patience),
                History(folder / "results.csv"),
                TrainingProgress(console, checkpoints, resumable=resumable),
                checkpoints,
            ],
            logger=TensorBoardLogger(folder, name="tensorboard", version=""),
            plugins=[AtomicCheckpointIO(), *shared],
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


def is_main() -> bool:
    """Tell whether this process is the one that writes files."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
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
            # train/loss is the same in all processes (train.module).
            warnings.filterwarnings("ignore", message=".*It is recommended to use `self.log")
            yield
    finally:
        cv2.setNumThreads(threads)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
