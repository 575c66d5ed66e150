"""``wristseg train``: the options of a training, and what it came to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import run_command
from wristseg.configs import TrainConfig

if TYPE_CHECKING:
    from wristseg.train.fit import TrainSummary

__all__ = ["main"]

_DESCRIPTION = """Train the mask model on a labelled data set.

  wristseg train --dataset-path data/dataset_v0
  wristseg train --dataset-path data/dataset_v0 --img-height 84 --img-width 84 --batch-size 16
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg train") -> int:
    """Run the command and return its exit code."""
    return run_command(TrainConfig, _train, argv, prog=prog, description=_DESCRIPTION)


def _train(config: TrainConfig) -> int:
    # Read when torch is first imported. Threads that spin while they wait cost 3 to 10 times the
    # step as soon as anything else, the frames' own thread included, wants a core (measured).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from wristseg.train.fit import train
    except ModuleNotFoundError as error:
        from wristseg.errors import MissingExtraError

        raise MissingExtraError(error.name or "a training library", "train") from error

    from lightning.pytorch.utilities import rank_zero_only

    summary = train(config)
    rank_zero_only(_print_summary)(summary)  # not once per process of a DDP training
    return 0


def _print_summary(summary: TrainSummary) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("class", "IoU", title=f"best epoch {summary.best_epoch + 1}")
    table.columns[1].justify = "right"
    for name, iou in summary.per_class_iou.items():
        table.add_row(name, "-" if iou is None else f"{iou:.3f}")
    table.add_section()
    table.add_row("val/iou (mean)", f"{summary.val_iou:.3f}")
    console = Console()
    console.print(table)
    print(f"{summary.epochs} epochs in {summary.seconds / 60:.1f} min")
    print(f"best checkpoint: {summary.best_checkpoint}")
    print(f"next: wristseg predict --checkpoint {summary.best_checkpoint} --input VIDEO_OR_IMAGES")
