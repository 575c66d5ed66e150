"""``wristseg val``: how good a model file is on labelled frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.evaluate.config import ValConfig

if TYPE_CHECKING:
    from wristseg.evaluate.measure import Measured
    from wristseg.evaluate.validate import ValSummary

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
    _print_clips(summary)
    _print_robustness(summary)
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


def _print_clips(summary: ValSummary) -> None:
    for clip in summary.clips:
        median, p95 = clip.jitter_px
        print(
            f"{clip.path}: {clip.frames} frames, flicker {clip.flicker:.3%} of pixels, object in "
            f"{clip.object_frames}, jitter {median:.2f} px (95 %: {p95:.2f}), "
            f"{clip.dropouts} dropouts, {clip.flashes} flashes"
        )
        for problem in clip.problems:
            print(f"  {problem}")


def _print_robustness(summary: ValSummary) -> None:
    for cell in summary.robustness:
        if cell.severity not in {0, 5}:
            continue
        said = (
            f"{cell.corruption}, severity {cell.severity}: miou_named {cell.miou_named.value:.3f}"
        )
        if cell.object_iou is not None:
            said += f", object {cell.object_iou.value:.3f}"
        if cell.false_on_shadow is not None:
            said += f", {cell.false_on_shadow.value:.3%} of the shadowed table called the object"
        print(said)
