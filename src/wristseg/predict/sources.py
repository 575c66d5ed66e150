"""Finds what to predict: an image, a video, a folder of them, or a glob.

In: the text of an option. Out: images and videos in sorted order, told apart by suffix.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wristseg.errors import DataError, UsageError
from wristseg.images import IMAGE_SUFFIXES, has_text_name

__all__ = ["VIDEO_SUFFIXES", "Source", "find_sources", "source_kind"]

VIDEO_SUFFIXES = frozenset(
    {".avi", ".flv", ".h264", ".hevc", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".ogv", ".ts", ".webm", ".wmv", ".3gp"}
)


@dataclass(frozen=True)
class Source:
    """One file to predict."""

    path: Path
    kind: Literal["image", "video"]


def find_sources(text: str, *, option: str = "--input") -> list[Source]:
    """Return the images and videos that an option's text names, sorted by path.

    A path that exists is taken as it is, even with ``*`` or ``[`` in its name. In a folder (not in
    those below it) and in a glob, files that are neither images nor videos are passed over.

    Args:
        text: A path or a glob.
        option: What the text was given as, for messages.

    Raises:
        DataError: The path of a single file does not exist, or names are not UTF-8.
        UsageError: A folder or glob holds no image and no video, or the file is neither.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise UsageError(f"{option} {text}: is an address; download it and give its path")
    path = Path(text).expanduser()
    if path.is_dir():
        return _found(path.iterdir(), f"{option} {text}: no image or video in this folder")
    if path.exists():
        return _found([path], f"{option} {text}: is neither an image nor a video")
    if not glob.has_magic(text):
        raise DataError(text, "no such file or folder")
    # Path.glob takes no absolute pattern.
    matches = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207
    return _found(matches, f"{option} {text}: no image or video matches")


def source_kind(name: str) -> Literal["image", "video"] | None:
    """Tell by a file's name what it holds; None where it is neither image nor video.

    >>> source_kind("clip.MP4"), source_kind("notes.txt")
    ('video', None)
    """
    # Hidden files are other programs' business: "._x.jpg" of macOS is no JPEG.
    if name.startswith("."):
        return None
    suffix = Path(name).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "video" if suffix in VIDEO_SUFFIXES else None


def _found(paths: Iterable[Path], otherwise: str) -> list[Source]:
    sources = [Source(path, kind) for path in sorted(paths) if (kind := _kind(path)) is not None]
    if not sources:
        known = " ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        raise UsageError(f"{otherwise} (known by their suffix: {known})")
    _require_utf8(sources)
    return sources


def _require_utf8(sources: Iterable[Source]) -> None:
    """Refuse names that no record can hold, before hours of work end without one."""
    shown = [ascii(str(source.path)) for source in sources if not has_text_name(source.path)]
    if shown:
        raise DataError("input", [f"{name}: the name is not UTF-8; rename it" for name in shown])


def _kind(path: Path) -> Literal["image", "video"] | None:
    return None if path.is_dir() else source_kind(path.name)
