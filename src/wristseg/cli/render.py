"""``wristseg render``: wrist-camera recordings of an SO-101, with labels, from the simulator."""

from __future__ import annotations

from collections.abc import Sequence

from wristseg.cli.command import run_command
from wristseg.synth.config import RenderConfig
from wristseg.synth.render import render

__all__ = ["main"]

_DESCRIPTION = """
Render wrist-camera recordings of an SO-101 in MuJoCo, annotated the way people annotate.

  wristseg render --preset randomised --frames 500 --seed 1 --output data/randomised
  wristseg render --preset holdout --exact-masks --output data/holdout   # for reporting only
  wristseg render --clips grasp shadow --output data/clips
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(RenderConfig, _run, argv, prog="wristseg render", description=_DESCRIPTION)


def _run(config: RenderConfig) -> int:
    summary = render(config)
    size = summary.size_bytes / 1e6
    print(f"{summary.output}: {summary.frames} frames, {size:.1f} MB")
    if not config.clips:
        print(f"  grasp marks {summary.grasp_marks}, excluded {summary.excluded}")
    return 0
