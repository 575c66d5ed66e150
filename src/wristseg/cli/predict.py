"""``wristseg predict``: masks and overlays for images, folders and videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import raise_if_partial, run_command
from wristseg.configs import PredictConfig

if TYPE_CHECKING:
    from wristseg.predict.predict import PredictSummary

__all__ = ["main"]

_DESCRIPTION = """
Predict class masks for an image, a folder, a glob in quotes, or a video.

  wristseg predict --checkpoint outputs/efficientvit_seg/best.ckpt --input video.mp4
  wristseg predict --checkpoint best.ckpt --input "frames/*.jpg" --output masks --save-mask
"""

#: More files than this on the terminal help nobody.
_FILES_SHOWN = 10


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg predict") -> int:
    """Run the command and return its exit code."""
    return run_command(PredictConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: PredictConfig) -> int:
    from wristseg.predict.predict import predict

    summary = predict(config)
    _print(summary)
    raise_if_partial(summary.problems)
    return 0


def _print(summary: PredictSummary) -> None:
    for path in summary.outputs[:_FILES_SHOWN]:
        print(path)
    hidden = len(summary.outputs) - _FILES_SHOWN
    if hidden > 0:
        print(f"... and {hidden} more files in {summary.outputs[0].parent}")
    milliseconds = 1000 * summary.seconds / summary.frames
    print(f"{summary.frames} frames, {milliseconds:.0f} ms each with reading and writing")
