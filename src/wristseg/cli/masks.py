"""``wristseg masks``: draw class-id masks from a COCO export."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import run_command
from wristseg.configs import MasksConfig

if TYPE_CHECKING:
    from wristseg.data.masks import MasksSummary

__all__ = ["main"]

_DESCRIPTION = """
Draw a class-id mask PNG for every annotated frame of a COCO export.

  wristseg masks --dataset-path data/dataset_v0
  wristseg masks --dataset-path data/dataset_v0 --output-dir outputs/masks --viz-dir outputs/viz
"""

#: More names than this on one line help nobody.
_NAMES_SHOWN = 10


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg masks") -> int:
    """Run the command and return its exit code."""
    return run_command(MasksConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: MasksConfig) -> int:
    from wristseg.data.masks import generate_masks

    _print(generate_masks(config))
    return 0


def _print(summary: MasksSummary) -> None:
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if summary.stale:
        print(
            f"warning: {summary.output_dir} also holds {len(summary.stale)} masks that this run"
            f" did not write: {_names(summary.stale)}",
            file=sys.stderr,
        )
    written = sum(summary.frames_per_order.values())
    print(f"{written} masks in {summary.output_dir}")
    for tag, count in summary.frames_per_order.items():
        print(f"  {'order ' + tag:<22}{count:>12,} frames")
    print(f"  {'excluded':<22}{len(summary.excluded):>12,} frames  {_names(summary.excluded)}")
    unlabelled = summary.without_annotation
    print(f"  {'without annotation':<22}{len(unlabelled):>12,} frames  {_names(unlabelled)}")
    total = max(sum(summary.pixels_per_class.values()), 1)
    for name, pixels in summary.pixels_per_class.items():
        print(f"  {name:<22}{pixels:>12,} pixels  {pixels / total:7.2%}")
    contested = summary.contested_pixels
    share = f"{contested / total:7.2%} (the draw order decides)"
    print(f"  {'contested':<22}{contested:>12,} pixels  {share}")


def _names(names: tuple[str, ...]) -> str:
    hidden = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f", ... {hidden} more" if hidden > 0 else "")
