"""``wristseg pseudo-label``: labels made by a model, for training on frames nobody labelled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, raise_if_partial, run_command
from wristseg.labeling.config import PseudoLabelConfig

if TYPE_CHECKING:
    from wristseg.labeling.pseudo_label import PseudoLabels

__all__ = ["main"]

_DESCRIPTION = """
Label frames with a model, where it is sure; wristseg train --mix reads the result.

  wristseg pseudo-label run1.mp4 run2.mp4 --checkpoint best.ckpt --output data/pseudo
  wristseg pseudo-label frames/ --checkpoint sim --output data/pseudo --confidence 0.95
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg pseudo-label") -> int:
    """Run the command and return its exit code."""
    return run_command(PseudoLabelConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: PseudoLabelConfig) -> int:
    limit_spinning()
    from wristseg.labeling.pseudo_label import pseudo_label

    done = pseudo_label(config)
    _print(done)
    raise_if_partial(done.problems)
    return 0


def _print(done: PseudoLabels) -> None:
    for warning in done.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{len(done.images)} frames with masks in {done.output}")
    print(f"  {'left out, unsure':<22}{len(done.left_out):>12,} frames")
    total = int(done.pixels.sum()) + done.ignored
    names = done.classes.names
    for name, pixels, frames in list(zip(names, done.pixels, done.frames, strict=True))[1:]:
        print(f"  {name:<22}{pixels:>12,} pixels  {pixels / total:7.2%}  in {frames} frames")
    print(f"  {'ignored':<22}{done.ignored:>12,} pixels  {done.ignored / total:7.2%}")
    print(f"look at: {done.output / 'overview.jpg'}")
    print(f"next: wristseg train --dataset-path DATASET --recipe robust --mix {done.output}")
