"""The folder of a run: one job at a time, and an earlier run is kept aside.

``train.fit`` calls this after the data has been found good, so that a wrong command changes
nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import filelock
import yaml

from wristseg.artifacts import sweep_temporaries, write_json, write_text
from wristseg.configs import TrainConfig
from wristseg.errors import UsageError
from wristseg.train.checkpoints import BEST, LAST
from wristseg.train.record import plain_config

__all__ = ["RUN_FILES", "archive_earlier_run", "hold_run_folder", "write_config"]

#: What a run leaves in its folder; anything else there is somebody else's and stays.
RUN_FILES = (
    BEST,
    LAST,
    "config.yaml",
    "split.json",
    "results.csv",
    "results.png",
    "per_class.csv",
    "confusion_matrix.png",
    "train_batch0.jpg",
    "val_pred.jpg",
    "metrics.json",
    "report.html",
    "tensorboard",
)

_ARCHIVE = "archive"
_LOCK = ".lock"
_OWNER = ".lock.json"


@contextlib.contextmanager
def hold_run_folder(folder: Path) -> Iterator[None]:
    """Keep a second training out of a run folder while the block runs.

    Raises:
        UsageError: Another training holds the folder; the message says which.
        OSError: The folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UsageError(
            f"{folder}: another training writes here ({_owner(folder)}); "
            "wait for it, or choose another --output-dir"
        ) from None
    try:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"pid": os.getpid(), "host": platform.node(), "started": started}
        write_json(folder / _OWNER, owner)
        sweep_temporaries(folder)
        yield
    finally:
        (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def archive_earlier_run(folder: Path, names: Sequence[str] = RUN_FILES) -> Path | None:
    """Move the files of an earlier run into ``archive/<its start>/``.

    Args:
        folder: The run folder.
        names: What an earlier run may have left in it.

    Returns:
        The folder they were moved to, or None where there was no earlier run.
    """
    left = [folder / name for name in names if (folder / name).exists()]
    if not left:
        return None
    # config.yaml is the first file of a run, and written once.
    started = min(path.stat().st_mtime for path in left)
    name = datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    target = folder / _ARCHIVE / name
    for number in range(2, 1000):
        if not target.exists():
            break
        target = target.with_name(f"{name}_{number}")
    target.mkdir(parents=True)
    for path in left:
        path.rename(target / path.name)
    return target


def write_config(folder: Path, config: TrainConfig) -> None:
    """Write ``config.yaml``: the command that ran, as a comment, and every option."""
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    options = yaml.safe_dump(plain_config(config), sort_keys=False, allow_unicode=True)
    # A line break in an argument would end the comment.
    write_text(folder / "config.yaml", f"# {' '.join(command.splitlines())}\n{options}")


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((folder / _OWNER).read_text(encoding="utf-8"))
        return f"pid {owner['pid']} on {owner['host']}, since {owner['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"it holds {folder / _LOCK}"
