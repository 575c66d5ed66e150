"""Files that ``wristseg live`` will write: refused before the camera is opened, not after the run.

In: the options. Out: nothing, or an error. A run on a robot cannot be repeated, so whatever can be
known to fail is known before it. Called by ``live.run``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from wristseg.errors import UsageError
from wristseg.live.config import LiveConfig

__all__ = ["check_outputs", "lines_beside"]


def lines_beside(video: Path) -> Path:
    """Return the file with one line per tick that lies beside a recording."""
    return video.with_suffix(".jsonl")


def check_outputs(config: LiveConfig) -> None:
    """Refuse outputs that cannot be written, are there already, or are what is read.

    Raises:
        UsageError: One of them; what an earlier run left may go with ``--overwrite``.
    """
    for option, path in _outputs(config):
        if path.resolve() in _inputs(config):
            raise UsageError(f"{option} {path}: is read by this run; choose another name")
        if path.is_dir():
            raise UsageError(f"{option} {path}: is a folder; give the name of a file")
        if path.exists() and not config.overwrite:
            raise UsageError(f"{option} {path}: is there already; choose another or --overwrite")
        folder = next(place for place in path.absolute().parents if place.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"{option} {path}: {folder} is no folder that can be written to")


def _outputs(config: LiveConfig) -> Iterator[tuple[str, Path]]:
    if config.record is not None:
        yield "--record", config.record
        yield "--record", lines_beside(config.record)
    if config.save_rrd is not None:
        yield "--save-rrd", config.save_rrd
    if config.report is not None:
        yield "--report", config.report


def _inputs(config: LiveConfig) -> set[Path]:
    read = [config.checkpoint, config.reference, Path(config.camera).expanduser()]
    return {path.resolve() for path in read if path is not None}
