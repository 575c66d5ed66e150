"""``wristseg live``: masks of a camera in real time, with their age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra, run_command
from wristseg.live.config import LiveConfig

if TYPE_CHECKING:
    from wristseg.live.run import LiveSummary

__all__ = ["main"]

_DESCRIPTION = """
Segment a camera in real time: the newest frame wins, and every mask says how old it is.

  wristseg live --camera 0 --checkpoint outputs/efficientvit_seg/best.ckpt --rerun
  wristseg live --camera data/clips/grasp.mp4 --checkpoint sim-84 --loop --seconds 20
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg live") -> int:
    """Run the command and return its exit code."""
    return run_command(LiveConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: LiveConfig) -> int:
    if config.rerun or config.save_rrd is not None:
        with needs_extra("rerun"):
            import rerun  # noqa: F401 - looked for before the camera is opened
    from wristseg.live.run import live

    live(config, done=_print)
    return 0


def _print(summary: LiveSummary) -> None:
    """Print what there is to say, also of a loop that ends by a fault."""
    for path in summary.outputs:
        print(path)
    for line in summary.lines:
        print(line)
