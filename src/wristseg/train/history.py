"""The numbers of each epoch: ``results.csv``, from which the curves are drawn."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as pl

from wristseg.artifacts import write_text

if TYPE_CHECKING:
    from wristseg.train.module import EfficientViTSegModule

__all__ = ["History", "Row", "read_history", "write_table"]

#: One row per epoch; a class without a value is an empty cell.
Row = Mapping[str, float | int | str | None]


class History(pl.Callback):
    """Writes a row of ``results.csv`` after each epoch, keeping those of a resumed run.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []
        self._started = time.monotonic()
        self._rate = math.nan

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take up the rows of the epochs that a resumed run has behind it."""
        del pl_module
        if trainer.current_epoch > 0 and self._path.is_file():
            rows = read_history(self._path)
            self._rows = [row for row in rows if int(row["epoch"] or 0) < trainer.current_epoch]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock; note the learning rate, which is another at the epoch's end."""
        del pl_module
        self._started = time.monotonic()
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: EfficientViTSegModule) -> None:  # type: ignore[override]
        """Write the epoch's row."""
        logged = trainer.callback_metrics
        metrics = pl_module.metrics()
        row: dict[str, float | int | str | None] = {
            "epoch": trainer.current_epoch,
            "train/loss": float(logged["train/loss"]),
            "val/loss": float(logged["val/loss"]),
            "val/iou": metrics["val/iou"],
            "lr": self._rate,
            "seconds": round(time.monotonic() - self._started, 2),
        }
        row |= {f"iou/{name}": value for name, value in metrics["per_class_iou"].items()}
        self._rows.append(row)
        if trainer.is_global_zero:
            write_table(self._path, self._rows)


def write_table(path: Path, rows: list[Row]) -> None:
    """Write rows of equal keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[Row]:
    """Read ``results.csv``; every cell is a number, or None where it is empty."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _number(cell: str) -> float | int | None:
    if not cell:
        return None
    return int(cell) if cell.isdigit() else float(cell)
