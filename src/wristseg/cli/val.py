"""``wristseg val``: how good a model file is on labelled frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.evaluate.config import ValConfig

if TYPE_CHECKING:
    from wristseg.evaluate.measure import Measured

__all__ = ["main"]

_DESCRIPTION = """
Measure a model file on a labelled data set: IoU, outlines, the object as a robot needs it.

  wristseg val outputs/efficientvit_seg/best.ckpt
  wristseg val best.onnx --dataset-path data/dataset_v0 --side all --robustness --clip data/clips
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg val") -> int:
    """Run the command and return its exit code."""
    return run_command(ValConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: ValConfig) -> int:
    limit_spinning()
    with needs_extra("labels"):
        from wristseg.evaluate.validate import validate

    summary = validate(config)
    print_measured(summary.measured)
    print(f"report: {summary.report}")
    print(f"metrics: {summary.metrics}")
    return 0


def print_measured(measured: Measured) -> None:
    """Print the figures over all classes and those of each class."""
    from rich.console import Console
    from rich.table import Table

    from wristseg.evaluate.figures import HEADLINES

    table = Table("figure", box=None, pad_edge=False)
    for heading in ("value", "95 % interval", "frames"):
        table.add_column(heading, justify="right")
    names = [name for name in HEADLINES if name in measured.figures]
    names += [f"iou/{name}" for name in measured.evaluation.classes.names]
    for name in names:
        figure = measured.figures[name]
        ends = figure.interval
        between = "-" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
        value = "-" if math.isnan(figure.value) else f"{figure.value:.3f}"
        table.add_row(name, value, between, str(figure.n))
    console = Console()
    console.print(table)
    for said in (measured.chosen.said, measured.resampling.said()):
        console.print(said, soft_wrap=True, highlight=False)
