"""``wristseg suggest``: which frames to label next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, raise_if_partial, run_command
from wristseg.labeling.config import SuggestConfig

if TYPE_CHECKING:
    from wristseg.labeling.suggest import Suggestions

__all__ = ["main"]

_DESCRIPTION = """
Tell which unlabelled frames to label next: those the model is unsure of, none twice.

  wristseg suggest "videos/*.mp4" --checkpoint best.ckpt --labelled data/dataset_v0 \\
      --output data/next
  wristseg suggest frames/ --checkpoint sim --count 20 --output data/next
"""

#: The rest stands in the record.
_SHOWN = 10


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg suggest") -> int:
    """Run the command and return its exit code."""
    return run_command(SuggestConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: SuggestConfig) -> int:
    limit_spinning()
    from wristseg.labeling.suggest import suggest

    done = suggest(config)
    _print(done)
    raise_if_partial(done.problems)
    return 0


def _print(done: Suggestions) -> None:
    print(f"{len(done.frames)} frames of {done.candidates} in {done.output / 'images'}")
    for place, frame in enumerate(done.frames[:_SHOWN], start=1):
        print(f"  {place:>2}. {frame.stem}: unsure {frame.uncertainty:.2f}")
    if len(done.frames) > _SHOWN:
        print(f"  ... and {len(done.frames) - _SHOWN} more in {done.output / 'suggestions.json'}")
    print(f"look at: {done.output / 'overview.jpg'}")
