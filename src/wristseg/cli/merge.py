"""``wristseg merge``: data sets and corrected exports joined to one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import run_command
from wristseg.labeling.config import MergeConfig

if TYPE_CHECKING:
    from wristseg.labeling.merge import MergeSummary

__all__ = ["main"]

_DESCRIPTION = """
Join COCO data sets and corrected exports to one; nothing that differs is chosen silently.

  wristseg merge data/dataset_v0 data/new --output data/dataset_v1
  wristseg merge data/dataset_v0 corrected/ --prefer last --output data/dataset_v1
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg merge") -> int:
    """Run the command and return its exit code."""
    return run_command(MergeConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: MergeConfig) -> int:
    from wristseg.labeling.merge import merge

    _print(merge(config))
    return 0


def _print(summary: MergeSummary) -> None:
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    frames = summary.frames
    print(f"{len(frames)} frames in {summary.output}")
    for path, count in Counter(frame.labels.part.path for frame in frames).items():
        print(f"  {f'labels of {path}':<40}{count:>8,}")
    for said, count in (
        ("the same image more than once", sum(frame.copies > 1 for frame in frames)),
        ("labels replaced by later ones", sum(frame.replaced for frame in frames)),
        ("without annotation", sum(not frame.labels.frame.annotations for frame in frames)),
        ("marked as grasp", sum(frame.grasp for frame in frames)),
        ("excluded", sum(frame.excluded for frame in frames)),
    ):
        print(f"  {said:<40}{count:>8,}")
    print(f"next: wristseg check {summary.output}")
