"""A lock file that one process at a time holds, and that goes with the process however it ends.

Called by ``review`` for a data set's marks and by ``batch`` for an output folder.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from wristseg.errors import UsageError

__all__ = ["hold_lock", "is_held"]


@contextlib.contextmanager
def hold_lock(path: Path, *, otherwise: str) -> Iterator[None]:
    """Hold a lock while the block runs; the file stays.

    Args:
        path: The lock file; made where it is not there, in a folder that is.
        otherwise: What to say where another process holds it.

    Raises:
        UsageError: Another process holds it.
        OSError: The file cannot be written.
    """
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(otherwise) from error
        yield


def is_held(path: Path) -> bool:
    """Tell whether a process, this one included, holds a lock; the file need not be there."""
    try:
        with open(path, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
