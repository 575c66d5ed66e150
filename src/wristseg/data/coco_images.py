"""Find the file of a COCO image record without leaving the image folder.

Called by ``data.coco`` with names that passed ``coco_rules.check_file_name``.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path

from wristseg.data.coco_rules import RuleError
from wristseg.data.strict_json import show

__all__ = ["MissingImageError", "locate_image"]


class MissingImageError(RuleError):
    """The name is fine, but there is no such file."""


def locate_image(images_dir: Path, file_name: str) -> Path:
    """Return the image file of a record.

    Leading folders of the name are left out one by one until a file is found, since tools name
    files from different folders: SALT writes ``images/frame.jpg``, CVAT the folder of the upload.

    Args:
        images_dir: The image folder.
        file_name: Relative name with ``/`` between folders and without ``..``.

    Raises:
        MissingImageError: No such file.
        RuleError: It is not a regular file, or a link that leads out of the folder.
    """
    parts = file_name.split("/")
    for start in range(len(parts)):
        path = images_dir.joinpath(*parts[start:])
        if os.path.lexists(path):
            _require_inside(images_dir, path)
            return path
    same = _same_letters(images_dir, parts[-1])
    if same is not None:
        _require_inside(images_dir, same)
        return same
    raise MissingImageError(f"no such image in {images_dir}{_near_name(images_dir, parts[-1])}")


def _same_letters(images_dir: Path, name: str) -> Path | None:
    """Return the file whose name differs only in how accents are written (macOS: NFD)."""
    composed = unicodedata.normalize("NFC", name)
    if composed.isascii() or not images_dir.is_dir():
        return None
    files = images_dir.iterdir()
    return next((f for f in files if unicodedata.normalize("NFC", f.name) == composed), None)


def _require_inside(images_dir: Path, path: Path) -> None:
    try:
        if path.parent == images_dir and not path.is_symlink():
            mode = path.stat().st_mode  # nothing between the folder and the file can lead out
        else:
            mode = _resolved_inside(images_dir, path).stat().st_mode
    except OSError as error:
        raise MissingImageError(f"cannot be opened: {error.strerror or error}") from error
    if not stat.S_ISREG(mode):
        raise RuleError("is not a regular file (a folder, pipe or device)")


def _resolved_inside(images_dir: Path, path: Path) -> Path:
    real = os.path.realpath(path)
    root = os.path.realpath(images_dir)
    if os.path.commonpath((real, root)) != root:
        raise RuleError("is a link that leads out of the image folder")
    return Path(real)


def _near_name(images_dir: Path, name: str) -> str:
    """Return a hint if a file differs only in case or suffix, which other systems overlook."""
    stem = Path(name).stem.casefold()
    try:
        near = [entry.name for entry in os.scandir(images_dir)]
    except OSError:
        return ""
    near = sorted(other for other in near if Path(other).stem.casefold() == stem)
    return f"; there is {show(near[0])}, rename one of the two" if near else ""
