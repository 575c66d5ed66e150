"""Progress of a training on stderr: a live bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from wristseg.interruption import raise_lost_signal
from wristseg.train.checkpoints import RunCheckpoints

__all__ = ["TrainingProgress"]


class TrainingProgress(pl.Callback):
    """Shows epoch, step, loss, val/iou, the best so far and the time that is left.

    Args:
        console: Where to write, normally stderr.
        checkpoints: Knows what is kept when a training is interrupted.
        resumable: Whether ``--resume`` can go on with it.
    """

    def __init__(
        self, console: Console, checkpoints: RunCheckpoints, *, resumable: bool = True
    ) -> None:
        self._console = console
        self._resumable = resumable
        self._checkpoints = checkpoints
        self._bar: Progress | None = None
        self._epoch_started = 0.0
        self._first_epoch = 0
        self._fit_started = 0.0
        self._best = -math.inf

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar."""
        del pl_module
        self._first_epoch, self._fit_started = trainer.current_epoch, time.monotonic()
        if self._console.is_terminal:
            columns = (
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TextColumn("{task.fields[numbers]}"),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("train", total=trainer.num_training_batches, epoch="", numbers="")
            self._bar.start()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the bar back."""
        del pl_module
        self._epoch_started = time.monotonic()
        self._update(trainer, completed=0)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop where a signal's exception was dropped in the step before."""
        del trainer, pl_module, batch, batch_idx
        raise_lost_signal()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Move the bar on."""
        del pl_module, outputs, batch
        self._update(trainer, completed=batch_idx + 1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the epoch's line."""
        del pl_module
        now, logged = time.monotonic(), trainer.callback_metrics
        iou = float(logged["val/iou"])
        done = trainer.current_epoch + 1
        per_epoch = (now - self._fit_started) / (done - self._first_epoch)
        left = per_epoch * ((trainer.max_epochs or done) - done)
        mark = "  best" if iou > self._best else ""
        self._best = max(self._best, iou)
        self._console.print(
            f"epoch {done:>3}/{trainer.max_epochs}  loss {float(logged['train/loss']):.4f}  "
            f"val/loss {float(logged['val/loss']):.4f}  val/iou {iou:.4f}  "
            f"{now - self._epoch_started:.1f} s  {_duration(left)} left at most{mark}",
            highlight=False,
            soft_wrap=True,
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        del trainer, pl_module
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, or the terminal would stay without a cursor; say how to go on."""
        del trainer, pl_module
        self._close()
        # Whether it is there, not a count: a signal may come right after the file did.
        if not isinstance(exception, Exception) and self._checkpoints.last.exists():
            how = ": the same command with --resume goes on" if self._resumable else ""
            self._console.print(
                f"stopped; {self._checkpoints.last} keeps the epochs before{how}",
                highlight=False,
                soft_wrap=True,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, which a resumed run goes on comparing with."""
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what ``state_dict`` returned."""
        self._best = state_dict["best"]

    def _update(self, trainer: pl.Trainer, *, completed: int) -> None:
        if self._bar is None:
            return
        loss = trainer.callback_metrics.get("train/loss_step")
        parts = [] if loss is None else [f"loss {float(loss):.4f}"]
        if math.isfinite(self._best):
            parts.append(f"best val/iou {self._best:.4f}")
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._bar.update(
            self._bar.task_ids[0], completed=completed, epoch=epoch, numbers="  ".join(parts)
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
