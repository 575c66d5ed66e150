"""``wristseg lerobot-masks``: write masks into a LeRobot data set, as one more camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import run_command
from wristseg.lerobot.config import LerobotMasksConfig

if TYPE_CHECKING:
    from wristseg.lerobot.masks import WrittenMasks

__all__ = ["main"]

_DESCRIPTION = """
Write a LeRobot data set again with masks of one camera as one more camera, exact to the pixel.

  wristseg lerobot-masks data/pick_cube --checkpoint best.ckpt --output data/pick_cube_masks
  wristseg lerobot-masks data/pick_cube --checkpoint sim-84 --camera wrist --link --output data/new
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg lerobot-masks") -> int:
    """Run the command and return its exit code."""
    return run_command(LerobotMasksConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: LerobotMasksConfig) -> int:
    from wristseg.lerobot.masks import write_lerobot_masks

    _print(write_lerobot_masks(config))
    return 0


def _print(done: WrittenMasks) -> None:
    from wristseg.lerobot.masks import SHEET

    kilobytes = done.mask_bytes / 1000 / max(1, done.frames)
    print(f"{done.frames} masks of {done.source_camera} in {done.output}")
    print(f"  camera {done.camera}: grey level = {done.step} x class id, {kilobytes:.1f} KB each")
    print(f"  read back and equal: {done.frames} of {done.frames}")
    print(f"  videos of the source, byte for byte: {len(done.unchanged)}")
    pixels, _ = done.counts.total()
    for name, count in zip(done.classes.names, pixels.tolist(), strict=True):
        print(f"  {name:<24}{count / pixels.sum():>7.2%}")
    print(f"look at: {done.output / SHEET}")
