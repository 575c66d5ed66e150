"""Which frames somebody has looked at: the progress of a review, kept from one day to the next.

It lies in the cache folder and not in the data set, since it concerns a person and no training.
Called by ``review.app``.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from wristseg.artifacts import write_json

__all__ = ["LookedAt"]


class LookedAt:
    """The frames that were looked at.

    Args:
        path: The file that remembers them; one that is missing or damaged remembers none.
        stems: Stem of each frame, by number.
    """

    def __init__(self, path: Path, stems: Sequence[str]) -> None:
        self._path = path
        self._stems = stems
        self._lock = threading.Lock()
        self._seen = _read(path)

    def numbers(self) -> list[int]:
        """Return the numbers of the frames that were looked at."""
        with self._lock:
            return [number for number, stem in enumerate(self._stems) if stem in self._seen]

    def add(self, numbers: Iterable[int]) -> None:
        """Remember frames.

        Raises:
            OSError: The cache folder cannot be written to.
        """
        with self._lock:
            seen = self._seen | {self._stems[number] for number in numbers}
            if len(seen) > len(self._seen):
                write_json(self._path, {"looked_at": sorted(seen)})
                self._seen = seen


def _read(path: Path) -> set[str]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return {str(stem) for stem in json.loads(path.read_text(encoding="utf-8"))["looked_at"]}
    return set()
