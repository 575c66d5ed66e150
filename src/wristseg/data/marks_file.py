"""A file of marks as it stands on disk, to be changed and written back with all else it holds.

``data.marks`` asks what marks mean; here they are names and labels. What else the file has, names
that meet no frame and keys that this program does not know, is kept in its order. Called by the
review page, the one part of wristseg that writes marks.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wristseg.artifacts import atomic_path, json_text
from wristseg.data.marks import check_marks
from wristseg.data.strict_json import parse_json, read_bytes
from wristseg.errors import DataError

__all__ = ["MarksFile"]


@dataclass(frozen=True)
class MarksFile:
    """The content of one file of marks.

    Attributes:
        path: The file; it need not exist yet.
        content: Its bytes, or None where there is no such file.
        value: The whole JSON object.
    """

    path: Path
    content: bytes | None
    value: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> MarksFile:
        """Read a file of marks; one that is not there has no marks.

        Raises:
            DataError: It is not a file of marks.
        """
        path = Path(os.path.realpath(path))  # a link stays one: its target is written
        if not path.exists():
            return cls(path, None, {"marks": {}})
        content = read_bytes(path)
        value, problems = parse_json(path, content)
        check_marks(path, value, problems)
        return cls(path, content, value)

    @property
    def labels(self) -> Mapping[str, str]:
        """Label by marked name, in the file's order."""
        labels: Mapping[str, str] = self.value["marks"]
        return labels

    def is_current(self) -> bool:
        """Tell whether the file still holds what was read or written last."""
        try:
            return read_bytes(self.path) == self.content
        except DataError:
            return self.content is None and not self.path.exists()

    def changed(self, changes: Mapping[str, str | None]) -> MarksFile:
        """Return the marks with some labels set, and those of None taken out.

        Sorted marks stay sorted; otherwise new names go to the end.
        """
        marks = dict(self.labels)
        was_sorted = list(marks) == sorted(marks)
        for name, label in changes.items():
            if label is None:
                marks.pop(name, None)
            else:
                marks[name] = label
        if was_sorted:
            marks = dict(sorted(marks.items()))
        value = {**self.value, "marks": marks}
        return MarksFile(self.path, _encode(value), value)

    def write(self) -> None:
        """Put the content on disk, whole or not at all; it has arrived there when this returns.

        Raises:
            OSError: The folder cannot be written to, or the disk is full.
        """
        assert self.content is not None
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(self.content)
            if self.path.exists():  # groups that share a data set keep their rights
                temporary.chmod(stat.S_IMODE(self.path.stat().st_mode))


def _encode(value: Mapping[str, Any]) -> bytes:
    try:
        return json_text(value).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only JSON's escapes can write
        return json.dumps(value, indent=2, allow_nan=False).encode() + b"\n"
