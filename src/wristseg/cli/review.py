"""``wristseg review``: look through a data set in the browser and mark frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra, run_command
from wristseg.configs import ReviewConfig

if TYPE_CHECKING:
    from wristseg.review.model import Model

__all__ = ["main"]

_DESCRIPTION = """
Look through a data set in the browser: frames, labels, a model's masks; mark grasp and excluded.

  wristseg review data/dataset_v0
  wristseg review data/dataset_v0 --checkpoint outputs/efficientvit_seg/best.ckpt

Marks go to selections.json and excluded.json at once. Ctrl-C stops it.
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg review") -> int:
    """Run the command and return its exit code."""
    return run_command(ReviewConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: ReviewConfig) -> int:
    with needs_extra("review"):
        from wristseg.review.server import serve_review
    from wristseg.predict.cache import cache_dir

    model = None if config.checkpoint is None else _load(config.checkpoint)
    return serve_review(config, model, cache=cache_dir() / "review")


def _load(checkpoint: Path) -> Model:
    from wristseg.artifacts import sha256_of
    from wristseg.packed_file import model_path
    from wristseg.predict import Segmenter
    from wristseg.predict.backend import default_threads
    from wristseg.review.model import Model

    segmenter = Segmenter.load(
        checkpoint, threads=max(1, default_threads() - 1)
    )  # one is the page's
    return Model(
        name=str(checkpoint),
        sha256=sha256_of(model_path(checkpoint)),
        classes=segmenter.classes,
        predict_rgb=segmenter.predict_rgb,
    )
