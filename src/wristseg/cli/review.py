"""``wristseg review``: look through a data set in the browser and mark frames."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra, run_command
from wristseg.configs import ReviewConfig
from wristseg.errors import CheckpointError

if TYPE_CHECKING:
    from wristseg.review.model import AwaitedModel, Model

__all__ = ["main"]

_DESCRIPTION = """
Look through a data set in the browser: frames, labels, a model's masks; mark grasp and excluded.

  wristseg review data/dataset_v0
  wristseg review data/dataset_v0 --checkpoint outputs/efficientvit_seg/best.ckpt

Marks go to selections.json and excluded.json at once. Ctrl-C stops it.
"""

_POLL_S = 0.1


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg review") -> int:
    """Run the command and return its exit code."""
    return run_command(ReviewConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: ReviewConfig) -> int:
    with needs_extra("review"):
        from wristseg.review.server import serve_review
    from wristseg.predict.cache import cache_dir

    model = None if config.checkpoint is None else _awaited(config.checkpoint)
    return serve_review(config, model, cache=cache_dir() / "review")


def _awaited(checkpoint: Path) -> AwaitedModel:
    from wristseg.packed_file import model_path
    from wristseg.review.model import AwaitedModel

    path = model_path(checkpoint)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    return AwaitedModel(str(checkpoint), lambda stopped: _load(checkpoint, stopped))


def _load(checkpoint: Path, stopped: threading.Event) -> Model | None:
    from wristseg.artifacts import sha256_of
    from wristseg.packed_file import model_path
    from wristseg.predict import Segmenter
    from wristseg.predict.backend import default_threads
    from wristseg.review.model import Model

    threads = max(1, default_threads() - 1)  # one is the page's
    if not _prepared(checkpoint, threads, stopped):
        return None
    segmenter = Segmenter.load(checkpoint, threads=threads)
    return Model(
        name=str(checkpoint),
        sha256=sha256_of(model_path(checkpoint)),
        classes=segmenter.classes,
        predict_rgb=segmenter.predict_rgb,
    )


def _prepared(checkpoint: Path, threads: int, stopped: threading.Event) -> bool:
    """Load the model once in another process, after which it is in the cache; False if stopped.

    An export keeps Python busy for many seconds, in which this process could not answer the page.
    Whatever goes wrong is raised when the model is loaded here.
    """
    script = (
        "import sys; from wristseg.predict import Segmenter; "
        "Segmenter.load(sys.argv[1], threads=int(sys.argv[2]))"
    )
    nothing = subprocess.DEVNULL
    # A session of its own: Ctrl-C on the terminal is for the server, which ends this.
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(checkpoint), str(threads)],
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        start_new_session=True,
    )
    while process.poll() is None:
        if stopped.wait(_POLL_S):
            process.kill()
            process.wait()
    return not stopped.is_set()
