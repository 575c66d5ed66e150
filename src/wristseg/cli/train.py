"""``wristseg train``: the options of a training, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.configs import TrainConfig
from wristseg.recipes import RECIPES, recipe_options

if TYPE_CHECKING:
    from wristseg.train.summary import TrainSummary

__all__ = ["main"]

_DESCRIPTION = """Train the mask model on a labelled data set.

  wristseg train --dataset-path data/dataset_v0
  wristseg train --dataset-path data/dataset_v0 --img-height 84 --img-width 84 --batch-size 16
  wristseg train --dataset-path data/dataset_v0 --recipe robust
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg train") -> int:
    """Run the command and return its exit code."""
    return run_command(
        TrainConfig, _train, argv, prog=prog, description=_DESCRIPTION, defaults=_recipe_defaults
    )


def _recipe_defaults(arguments: Sequence[str]) -> Mapping[str, Any]:
    """Return what the recipe on the command line sets; a name that is none is tyro's to refuse."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = [name for option, name in pairwise(words) if option == "--recipe" and name in RECIPES]
    return recipe_options(named[-1]) if named else {}


def _train(config: TrainConfig) -> int:
    from wristseg.data.layout import find_layout

    find_layout(config.dataset())  # a wrong path is told before the seconds that torch takes
    limit_spinning()
    if config.folds is not None:
        from wristseg.cli.folds import cross_validate

        return cross_validate(config, config.folds)
    with needs_extra("train"):
        from wristseg.train.fit import train

    from lightning.pytorch.utilities import rank_zero_only

    summary = train(config)
    rank_zero_only(_finish)(config, summary)  # not once per process of a DDP training
    return 0


def _finish(config: TrainConfig, summary: TrainSummary) -> None:
    from wristseg.data.labels import load_labels
    from wristseg.evaluate.report import ReportText, report_run

    _print_summary(summary)
    labels = load_labels(config.dataset(), masks_dir=config.masks_dir)
    checkpoint = summary.best_checkpoint
    text = ReportText(
        title=f"Training on {config.dataset_path.resolve().name}",
        lead=f"Network input {config.img_height}x{config.img_width} (h x w), loss {config.loss}.",
        tiles=(
            ("epochs", str(summary.epochs)),
            ("best epoch", str(summary.best_epoch + 1)),
            ("training", f"{summary.seconds / 60:.1f} min"),
        ),
        next_steps=(
            (
                "Predict a video or a folder of images:",
                f"wristseg predict --checkpoint {checkpoint} --input VIDEO_OR_IMAGES",
            ),
            ("See what the model file says about itself:", f"wristseg info {checkpoint}"),
        ),
    )
    report_run(summary.run_dir, labels, text=text)
    print(f"report: {summary.run_dir / 'report.html'}")
    print(f"next: wristseg predict --checkpoint {checkpoint} --input VIDEO_OR_IMAGES")


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
