"""``wristseg compare``: two models on the same frames: is the difference more than noise?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.evaluate.config import CompareConfig

if TYPE_CHECKING:
    from wristseg.evaluate.compare import Comparison

__all__ = ["main"]

_DESCRIPTION = """
Compare two models on the same frames, and say whether they differ by more than noise.

  wristseg compare outputs/run_a outputs/run_b
  wristseg compare a/best.ckpt b/best.onnx --dataset-path data/held_out --output outputs/compare
"""

_LEAST_WIDTH = 110


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg compare") -> int:
    """Run the command and return its exit code."""
    return run_command(CompareConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: CompareConfig) -> int:
    limit_spinning()
    with needs_extra("labels"):
        from wristseg.evaluate.compare import compare

    found = compare(config)
    _print(config, found)
    return 0


def _print(config: CompareConfig, found: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", box=None, pad_edge=False)
    for heading in ("A", "B", "B - A", "95 % interval", "frames"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for row in found.differences:
        if row.name.startswith(("val/iou/", "boundary_f/")):
            continue  # the page has these too
        ends = row.interval
        between = "-" if ends is None else f"{ends[0]:+.3f} to {ends[1]:+.3f}"
        values = (f"{row.a:.3f}", f"{row.b:.3f}", f"{row.b - row.a:+.3f}")
        table.add_row(row.name, *values, between, str(row.n), row.verdict)
    console = Console(width=max(Console().width, _LEAST_WIDTH))  # or figures lose their names
    console.print(f"A: {config.run_a}\nB: {config.run_b}", soft_wrap=True, highlight=False)
    console.print(table)
    for said in found.said:
        console.print(said, soft_wrap=True, highlight=False)
    most = found.frames[0]
    print(f"most changed: {most.stem}, miou_named {most.a:.3f} -> {most.b:.3f}")
    if found.page is not None:
        print(f"page: {found.page}")
