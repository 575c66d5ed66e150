"""What a training came to: the summary that commands print and write reports from.

In: a finished run folder. Out: ``TrainSummary``. Called by ``train.fit``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wristseg.modeling.safe_load import load_untrusted
from wristseg.train.checkpoints import BEST

__all__ = ["TrainSummary", "lacks_report", "summarize", "summarize_finished"]


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


def lacks_report(folder: Path) -> bool:
    """Tell whether a run was stopped after its training and before its report."""
    return (folder / "metrics.json").exists() and not (folder / "report.html").exists()


def summarize_finished(folder: Path) -> TrainSummary:
    """Return the summary of a run that ``metrics.json`` says is finished."""
    said = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return _summary(
        folder, said, said["best_epoch"], epochs=said["epochs"], seconds=said["seconds"]
    )


def summarize(folder: Path, *, epochs: int, archived: Path | None, seconds: float) -> TrainSummary:
    """Return the summary of the run that has just ended.

    Args:
        folder: The run folder.
        epochs: Epochs trained in all, those before a resume included.
        archived: Where an earlier run's files were moved to, or None.
        seconds: Time it took.
    """
    best = load_untrusted(folder / BEST)["wristseg"]["metrics"]
    return _summary(folder, best, best["epoch"], epochs=epochs, seconds=seconds, archived=archived)


def _summary(
    folder: Path,
    metrics: Mapping[str, Any],
    best_epoch: int,
    *,
    epochs: int,
    seconds: float,
    archived: Path | None = None,
) -> TrainSummary:
    return TrainSummary(
        run_dir=folder,
        best_checkpoint=folder / BEST,
        val_iou=metrics["val/iou"],
        per_class_iou=metrics["per_class_iou"],
        best_epoch=best_epoch,
        epochs=epochs,
        seconds=seconds,
        archived=archived,
    )
