"""``wristseg mask-noise``: a model's errors, for a simulator's masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.evaluate.noise_config import MaskNoiseConfig

if TYPE_CHECKING:
    from wristseg.evaluate.mask_noise import FittedNoise

__all__ = ["main"]

_DESCRIPTION = """
Fit how a model errs on labelled frames, so that a simulator's masks can be spoilt the same way.

  wristseg mask-noise best.ckpt --clip data/clips
  wristseg mask-noise sim-84 --dataset-path data/dataset_v0 --output outputs/sim-84_noise.json
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg mask-noise") -> int:
    """Run the command and return its exit code."""
    return run_command(MaskNoiseConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: MaskNoiseConfig) -> int:
    limit_spinning()
    with needs_extra("labels"):
        from wristseg.evaluate.mask_noise import fit_mask_noise

    fitted = fit_mask_noise(config)
    print(fitted.said)
    _print(fitted)
    for name, path in zip(("noise", "plot", "masks"), fitted.files, strict=True):
        print(f"{name}: {path}")
    return 0


def _print(fitted: FittedNoise) -> None:
    from rich.console import Console
    from rich.table import Table

    real, made = fitted.real, fitted.made
    table = Table("on frames kept apart from the fit", "real", "made", box=None, pad_edge=False)
    for name, figures in zip(
        fitted.noise.class_names, zip(real.iou, made.iou, strict=True), strict=True
    ):
        table.add_row(f"iou/{name}", *(f"{figure:.3f}" for figure in figures))
    table.add_row("missed, of those there", f"{real.missed:.3f}", f"{made.missed:.3f}")
    table.add_row("false, per frame", f"{real.false:.3f}", f"{made.false:.3f}")
    Console().print(table)
    if fitted.real_lengths.excursions.any():
        lengths = (fitted.real_lengths.flicker_frames, fitted.made_lengths.flicker_frames)
        print(f"errors of a pixel last {lengths[0]:.1f} frames, made ones {lengths[1]:.1f}")
    else:
        print("how long errors last was not measured (no --clip): one frame is taken")
