"""The parts of a data set that stay as they are: copied or linked, and checked.

In: the source and what will be written anew. Out: the same files in the new folder. Called by
``lerobot.masks``.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from wristseg.artifacts import sha256_of
from wristseg.data.progress import with_progress
from wristseg.errors import DataError

__all__ = ["copy_unchanged", "files_of"]

#: Other programs' notes about this very folder: a copy would claim to be what it is not.
_NOT_COPIED = frozenset({".cache", ".git"})


def files_of(root: Path) -> list[Path]:
    """Return the files of a data set below its folder, in order, without caches.

    Links to files are followed, as the Hub's cache makes them; links to folders are not.

    Raises:
        DataError: Something in it is no regular file, and copying it would wait for ever.
    """
    found, problems = [], []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - _NOT_COPIED)
        for name in sorted(names):
            path = Path(folder, name)
            place = path.relative_to(root)
            if not path.exists():
                problems.append(f"{place}: is a link to nothing; download the data set again")
            elif not stat.S_ISREG(path.stat().st_mode):
                problems.append(f"{place}: is no regular file; move it away")
            else:
                found.append(place)
    if problems:
        raise DataError(root, problems)
    return found


def copy_unchanged(source: Path, target: Path, places: list[Path], *, link: bool) -> dict[str, str]:
    """Bring files over, byte for byte, and return the SHA-256 of each video.

    Args:
        source: Folder of the data set.
        target: Folder of the new one.
        places: Files below it.
        link: Hard-link instead of copying.

    Raises:
        DataError: A copy differs from what it is a copy of.
        OSError: The disk is full, or a file cannot be linked.
    """
    bring: Callable[[Path, Path], object] = _link if link else shutil.copyfile
    hashes = {}
    for place in with_progress(places, total=len(places), doing="copying"):
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        bring(source / place, target / place)
        digest = sha256_of(source / place)
        if not link and sha256_of(target / place) != digest:
            raise DataError(target / place, f"differs from {source / place} after copying; disk?")
        if place.suffix == ".mp4":
            hashes[place.as_posix()] = digest
    return hashes


def _link(source: Path, target: Path) -> None:
    # A link to a link would point into a cache that may be cleaned.
    os.link(source.resolve(), target)
