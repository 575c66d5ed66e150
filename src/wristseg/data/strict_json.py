"""Read JSON that came from elsewhere: bounded in size and depth, without NaN and Infinity.

Called by the readers of COCO files and marks; they check what the JSON means.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from wristseg.errors import DataError

__all__ = ["MAX_BYTES", "parse_json", "read_bytes", "read_json", "show"]

#: Larger files are refused before they are read; 5,000 frames with outlines are about 50 MB.
MAX_BYTES = 256 * 2**20

_SHOWN_CHARACTERS = 60


def read_json(path: Path) -> tuple[Any, list[str]]:
    """Read a JSON file.

    Returns:
        The value, and one line per fault that leaves the rest readable (NaN and Infinity tokens).

    Raises:
        DataError: Not a regular file, too large, nested too deeply, or not JSON.
    """
    return parse_json(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Read a regular file of at most ``MAX_BYTES``.

    Raises:
        DataError: Not a regular file, too large, or not readable.
    """
    try:
        status = path.stat()
        # Opening a FIFO would wait for a writer for ever.
        if not stat.S_ISREG(status.st_mode):
            raise DataError(path, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise DataError(path, f"{status.st_size} bytes, expected at most {MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror or error}") from error


def parse_json(path: object, content: bytes) -> tuple[Any, list[str]]:
    """Parse JSON that came from ``path``; see ``read_json``."""
    try:
        # Windows tools put a byte order mark in front.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path, f"not UTF-8 text: {error.reason} at byte {error.start}") from error
    return _parse(path, text)


def _parse(path: object, text: str) -> tuple[Any, list[str]]:
    tokens: list[str] = []

    def not_a_number(token: str) -> float:
        tokens.append(token)
        return float(token)

    try:
        value = json.loads(text, parse_constant=not_a_number)
    except RecursionError as error:
        raise DataError(path, "nested too deeply for a label file") from error
    except ValueError as error:
        # JSONDecodeError, and int() refusing thousands of digits.
        raise DataError(path, f"not JSON: {error}") from error
    problems = [f"{len(tokens)} x NaN or Infinity, which are not JSON numbers"] if tokens else []
    return value, problems


def show(value: Any) -> str:
    """Return a short, printable text for a value of unknown type and size."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
