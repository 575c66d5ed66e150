"""``wristseg frames``: take frames out of videos, to be labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import raise_if_partial, run_command
from wristseg.labeling.config import FramesConfig

if TYPE_CHECKING:
    from wristseg.labeling.sample import SampledFrames

__all__ = ["main"]

_DESCRIPTION = """
Take frames out of videos, to be labelled: <recording>_frame_0042.jpg, counted from 0.

  wristseg frames grasp.mp4 --seconds 0.5 --output data/new
  wristseg frames "videos/*.mp4" --pick 60 --output data/new   # those that differ most
  wristseg frames data/pick_cube --lerobot --episodes 0:10 --output data/new
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg frames") -> int:
    """Run the command and return its exit code."""
    return run_command(FramesConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: FramesConfig) -> int:
    from wristseg.labeling.sample import sample_frames

    if config.lerobot:
        from wristseg.lerobot.input_frames import EpisodeFrames

        done = sample_frames(config, open_frames=lambda wanted: EpisodeFrames(config, wanted))
    else:
        done = sample_frames(config)
    _print(done)
    raise_if_partial(done.problems)
    return 0


def _print(done: SampledFrames) -> None:
    chosen = "" if len(done.frames) == done.candidates else f", chosen from {done.candidates}"
    print(f"{len(done.frames)} frames in {done.output / 'images'}{chosen}")
    for video, count in Counter(frame["video"] for frame in done.frames).items():
        print(f"  {video}: {count}")
    print(f"look at: {done.output / 'overview.jpg'}")
