"""``wristseg label``: class masks for thousands of videos, on one machine or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.batch.config import LabelConfig
from wristseg.cli.command import raise_if_partial, run_command

if TYPE_CHECKING:
    from wristseg.batch.label import LabelSummary

__all__ = ["main"]

_DESCRIPTION = """
Label many videos and images; it can be killed at any time, and goes on when started again.

  wristseg label recordings/ --checkpoint best.ckpt --output labelled
  wristseg label "s3://robots/*.mp4" --checkpoint sim-84 --output s3://robots/masks --shard 1/4
"""

#: More lines than this on the terminal help nobody; all stand in the index.
_PROBLEMS_SHOWN = 20


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg label") -> int:
    """Run the command and return its exit code."""
    return run_command(LabelConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: LabelConfig) -> int:
    from wristseg.batch.label import label

    summary = label(config)
    _print(summary)
    shown = summary.problems[:_PROBLEMS_SHOWN]
    hidden = len(summary.problems) - len(shown)
    raise_if_partial([*shown, f"{hidden} more, see the index"] if hidden else shown)
    return 0


def _print(summary: LabelSummary) -> None:
    facts = summary.facts
    print(
        f"{facts['inputs']} inputs: {facts['done']} done, {facts['partial']} partial, "
        f"{facts['quarantined']} in quarantine; {facts['kept']} of them were there already"
    )
    print(f"{facts['frames']} frames now, {facts['frames_per_s']} per second")
    print(f"index: {summary.output.rstrip('/')}/index.jsonl")
