"""Read the marks that an image viewer wrote: ``{"marks": {"<file name>": "<label>"}}``.

Any mark in ``selections.json`` makes a frame a grasp frame; in ``excluded.json`` only the label
``Excluded`` counts. Marks and frames are matched by stem, since a viewer may have seen a ``.png``
where the data set holds a ``.jpg``. Called by ``data.labels`` and
``data.marks_file``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wristseg.data.names import frame_stem
from wristseg.data.strict_json import read_json, show
from wristseg.errors import DataError

__all__ = ["check_marks", "read_excluded", "read_selections"]

_EXCLUDED = "Excluded"


def check_marks(path: Path, value: Any, problems: list[str]) -> dict[str, str]:
    """Return the label of each marked name.

    Args:
        path: The file, for the error.
        value: What the file holds, parsed.
        problems: What is wrong with the file so far.

    Raises:
        DataError: There are problems, or it is not a file of marks; all are listed.
    """
    marks = value.get("marks") if isinstance(value, dict) else None
    if not isinstance(marks, dict):
        raise DataError(path, [*problems, 'expected {"marks": {"<file name>": "<label>"}}'])
    found = problems + [
        f"mark {show(name)} has the label {show(label)}, expected a text"
        for name, label in marks.items()
        if not isinstance(label, str)
    ]
    if found:
        raise DataError(path, found)
    return marks


def read_selections(path: Path | None) -> frozenset[str]:
    """Return the stems of the frames marked as grasp; none without a file.

    Raises:
        DataError: The file is not a file of marks.
    """
    return frozenset() if path is None else frozenset(stem for stem, _ in _read_marks(path))


def read_excluded(path: Path | None) -> frozenset[str]:
    """Return the stems of the frames marked as ``Excluded``; none without a file.

    Raises:
        DataError: The file is not a file of marks.
    """
    if path is None:
        return frozenset()
    return frozenset(stem for stem, label in _read_marks(path) if label == _EXCLUDED)


def _read_marks(path: Path) -> list[tuple[str, str]]:
    """Return (stem, label) of every mark; two marks may share a stem (``.png`` and ``.jpg``)."""
    value, problems = read_json(path)
    marks = check_marks(path, value, problems)
    return [(frame_stem(name), label) for name, label in marks.items()]
