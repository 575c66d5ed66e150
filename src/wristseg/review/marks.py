"""Marks as the review page changes them: versioned, undone and redone, on disk before they count.

Each change names the version it was made on. Whoever is behind, a second tab or this one after
another program wrote the files, is refused and has to look again, so that no change is lost. A
change that was answered has already been written: temporary file, flush, rename, flush of the
folder. Called by ``review.app`` from several threads.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from wristseg.data.marks_file import MarksFile
from wristseg.data.names import frame_stem
from wristseg.review.frames import ReviewFrame

__all__ = ["Change", "MarkStore", "Marks", "StaleVersionError"]

Kind = Literal["grasp", "excluded"]

_LABELS: dict[Kind, str] = {"grasp": "Grasp", "excluded": "Excluded"}

#: Steps that can be undone.
_HISTORY = 1000

_stem = lru_cache(maxsize=200_000)(frame_stem)


class StaleVersionError(Exception):
    """The change was made on marks that have changed since; nothing was written."""


@dataclass(frozen=True)
class Change:
    """What a frame is to be: ``grasp`` or not, ``excluded`` or not."""

    number: int
    kind: Kind
    value: bool


@dataclass(frozen=True)
class Marks:
    """The marks at one version.

    Attributes:
        version: Grows with each change, whoever made it.
        grasp: Numbers of the grasp frames.
        excluded: Numbers of the frames that are left out.
        can_undo: Steps that can be undone.
        can_redo: Steps that can be made again.
    """

    version: int
    grasp: frozenset[int]
    excluded: frozenset[int]
    can_undo: int
    can_redo: int


#: By kind and name the label before and after; None for no mark.
_Step = Mapping[Kind, Mapping[str, tuple[str | None, str | None]]]


class MarkStore:
    """The two files of marks of a data set.

    Args:
        frames: The table's frames.
        selections: File of grasp marks; it need not exist.
        excluded: File of exclusion marks; it need not exist.

    Raises:
        DataError: A file is there and holds no marks.
    """

    def __init__(self, frames: Sequence[ReviewFrame], *, selections: Path, excluded: Path) -> None:
        self._frames = frames
        self._lock = threading.Lock()
        self._files: dict[Kind, MarksFile] = {
            "grasp": MarksFile.read(selections),
            "excluded": MarksFile.read(excluded),
        }
        self._numbers: dict[str, list[int]] = defaultdict(list)
        for frame in frames:
            for key in frame.keys:
                self._numbers[key].append(frame.number)
        self._version = 1
        self._undo: list[_Step] = []
        self._redo: list[_Step] = []
        #: Labels of other meaning in excluded.json that a mark of ours stands in for.
        self._covered: dict[str, str] = {}

    def marks(self) -> Marks:
        """Return the marks, as they are on disk.

        Raises:
            DataError: Another program left a file that holds no marks.
        """
        with self._lock:
            self._take_in()
            return self._marks()

    def edit(self, version: int, changes: Iterable[Change]) -> Marks:
        """Make changes and write them.

        Raises:
            StaleVersionError: ``version`` is not the newest one.
            DataError: Another program left a file that holds no marks.
            OSError: A file cannot be written; the marks are what they were.
        """
        with self._lock:
            self._require(version)
            wanted: dict[Kind, dict[int, bool]] = {"grasp": {}, "excluded": {}}
            for change in changes:
                wanted[change.kind][change.number] = change.value
            steps = {kind: self._step(kind, numbers) for kind, numbers in wanted.items()}
            step: _Step = {kind: found for kind, found in steps.items() if found}
            if step:
                self._write(step, side=1)
                self._undo = [*self._undo[1 - _HISTORY :], step]
                self._redo = []
            return self._marks()

    def undo(self, version: int) -> tuple[Marks, tuple[int, ...]]:
        """Take the last change back; returns the marks and the frames it concerned.

        Raises:
            StaleVersionError, DataError, OSError: As for ``edit``.
        """
        with self._lock:
            self._require(version)
            return self._travel(self._undo, self._redo, side=0)

    def redo(self, version: int) -> tuple[Marks, tuple[int, ...]]:
        """Make the change again that was undone last; else as ``undo``."""
        with self._lock:
            self._require(version)
            return self._travel(self._redo, self._undo, side=1)

    def _marks(self) -> Marks:
        return Marks(
            self._version,
            frozenset(self._marked("grasp")),
            frozenset(self._marked("excluded")),
            len(self._undo),
            len(self._redo),
        )

    def _require(self, version: int) -> None:
        self._take_in()
        if version != self._version:
            raise StaleVersionError(f"version {version}, the newest is {self._version}")

    def _take_in(self) -> None:
        """Read files again that another program wrote."""
        changed = [kind for kind, file in self._files.items() if not file.is_current()]
        for kind in changed:
            self._files[kind] = MarksFile.read(self._files[kind].path)
        if changed:
            # The steps were made on marks that are no longer there.
            self._version += 1
            self._undo, self._redo = [], []

    def _counts(self, kind: Kind, label: str) -> bool:
        return kind == "grasp" or label == _LABELS["excluded"]

    def _marked(self, kind: Kind) -> set[int]:
        return {
            number
            for name, label in self._files[kind].labels.items()
            if self._counts(kind, label)
            for number in self._numbers.get(_stem(name), ())
        }

    def _step(
        self, kind: Kind, wanted: Mapping[int, bool]
    ) -> dict[str, tuple[str | None, str | None]]:
        """Return the labels to change so that frames become what is wanted."""
        if not wanted:
            return {}
        labels = self._files[kind].labels
        marked = self._marked(kind)
        after: dict[str, str | None] = {}
        for number, value in wanted.items():
            if value and number not in marked:
                after[self._frames[number].file_name] = _LABELS[kind]
        dropped = {number for number, value in wanted.items() if not value and number in marked}
        for name, label in labels.items():
            numbers = self._numbers.get(_stem(name), [])
            if dropped.isdisjoint(numbers) or not self._counts(kind, label):
                continue
            after[name] = self._covered.get(name) if kind == "excluded" else None
            # One mark may mean several copies of a frame; the others keep theirs.
            for number in set(numbers) - dropped:
                after[self._frames[number].file_name] = label
        return {
            name: (labels.get(name), label)
            for name, label in after.items()
            if labels.get(name) != label
        }

    def _write(self, step: _Step, *, side: int) -> None:
        """Put the labels of one side of a step on disk; the version grows with the first file."""
        for kind, labels in step.items():
            file = self._files[kind].changed({name: pair[side] for name, pair in labels.items()})
            file.write()
            for name, label in self._files[kind].labels.items():
                if kind == "excluded" and name in labels and not self._counts(kind, label):
                    self._covered[name] = label
            self._files[kind] = file
            self._version += 1

    def _travel(
        self, source: list[_Step], target: list[_Step], *, side: int
    ) -> tuple[Marks, tuple[int, ...]]:
        if not source:
            return self._marks(), ()
        self._write(source[-1], side=side)
        step = source.pop()
        target.append(step)
        numbers = {
            number
            for labels in step.values()
            for name in labels
            for number in self._numbers.get(_stem(name), ())
        }
        return self._marks(), tuple(sorted(numbers))
