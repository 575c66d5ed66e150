"""The frames of a data set as the review page shows them, marked or not, by their numbers.

In comes where the data set lies; out goes a table that is built once, at the start. Everything
after that names a frame by its number in the table, so that no path ever comes from the page.
Called by ``review.server``.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.data.draw import FrameRuns, frame_runs
from wristseg.data.labelled import size_fault
from wristseg.data.labels import Candidate, Candidates, read_candidates
from wristseg.data.layout import Layout
from wristseg.data.names import recording_of
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.images import image_size_hw, read_image_rgb, read_mask

__all__ = ["FrameTable", "ReviewFrame"]


@dataclass(frozen=True)
class ReviewFrame:
    """One image of the data set.

    Attributes:
        number: Its place in the table.
        candidate: Its names, its image and its labels.
        recording: What ``recording_of`` makes of its name.
        problems: What is wrong with its labels or its image's name, one line each.
    """

    number: int
    candidate: Candidate
    recording: str
    problems: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """Name of the image file, under which the frame is marked."""
        return self.candidate.image_path.name

    @property
    def keys(self) -> frozenset[str]:
        """Stems under which a mark means this frame."""
        return frozenset({self.candidate.stem, self.candidate.source})


class FrameTable:
    """All frames of a data set, sorted by recording and name.

    Args:
        read: What the readers of labels found.
    """

    def __init__(self, read: Candidates) -> None:
        self.layout: Layout = read.layout
        self.classes: ClassTable = read.classes
        texts: dict[str | None, list[str]] = defaultdict(list)
        for problem in read.problems:
            texts[problem.stem].append(problem.text)
        ordered = sorted(read.candidates, key=lambda c: (recording_of(c.source), c.stem))
        self.frames = tuple(
            ReviewFrame(number, c, recording_of(c.source), tuple(texts[c.stem]))
            for number, c in enumerate(ordered)
        )
        stems = {c.stem for c in read.candidates}
        #: What is wrong with the data set and belongs to no frame that is shown.
        self.problems = tuple(
            text for stem, found in texts.items() if stem not in stems for text in found
        )
        self._root = os.path.realpath(self.layout.images_dir)
        self._runs = lru_cache(maxsize=64)(self._cut)

    @classmethod
    def of(cls, paths: DatasetPaths) -> FrameTable:
        """Read a data set.

        Raises:
            UsageError: A named folder or file is not there.
            DataError: No known layout, no readable class table, or no frame at all.
        """
        table = cls(read_candidates(paths))
        if not table.frames:
            problems = table.problems or ("holds no frames: nothing to review",)
            raise DataError(paths.dataset_path, list(problems))
        return table

    def __len__(self) -> int:
        return len(self.frames)

    def image(self, number: int) -> NDArray[np.uint8]:
        """Decode a frame's image: (H, W, 3) uint8, RGB.

        Raises:
            DataError: It is missing, damaged, or outside the image folder by now.
        """
        return read_image_rgb(self._inside(number))

    def image_fault(self, number: int) -> str | None:
        """Say what is wrong with the header of an image, or that its size is not its labels'."""
        try:
            size = image_size_hw(self._inside(number))
        except DataError as error:
            return str(error)
        expected = self.frames[number].candidate.size_hw
        return None if size == expected else f"{size_fault(size, expected)}"

    def image_state(self, number: int) -> tuple[int, int]:
        """Return what changes when an image file is replaced: its time (ns) and its size.

        Raises:
            DataError: There is no such file.
        """
        try:
            status = self.frames[number].candidate.image_path.stat()
        except OSError as error:
            raise DataError(self.frames[number].file_name, "no such file") from error
        return status.st_mtime_ns, status.st_size

    def labels(self, number: int, tag: str) -> NDArray[np.uint8]:
        """Draw a frame's labels in the order of ``tag``: (H, W) uint8, class ids or 255.

        Raises:
            DataError: A ready-made mask cannot be read any more.
        """
        candidate = self.frames[number].candidate
        if candidate.coco is not None:
            runs = self._runs(number)
            return runs.to_pixels(runs.paint(self.classes.order_ids(tag)))
        if candidate.mask_path is None:
            return np.zeros(candidate.size_hw, np.uint8)
        return read_mask(candidate.mask_path, num_classes=len(self.classes))

    def label_state(self, number: int, tag: str) -> str:
        """Return what changes when a frame's labels do, its draw order included."""
        candidate = self.frames[number].candidate
        if candidate.coco is not None:
            order = self.classes.order_ids(tag)
            parts = (candidate.coco.annotations, order, self.classes.colors_rgb)
            return hashlib.sha256(repr(parts).encode()).hexdigest()
        if candidate.mask_path is None:
            return "none"
        status = candidate.mask_path.stat()
        return f"{status.st_mtime_ns} {status.st_size}"

    def orders_differ(self, number: int) -> bool:
        """Tell whether the draw order changes any pixel of a frame's labels."""
        if self.frames[number].candidate.coco is None:
            return False
        runs = self._runs(number)
        painted = [runs.paint(self.classes.order_ids(tag)) for tag in self.classes.draw_orders]
        return any(not np.array_equal(painted[0], other) for other in painted[1:])

    def _cut(self, number: int) -> FrameRuns:
        coco = self.frames[number].candidate.coco
        assert coco is not None
        return frame_runs(coco)

    def _inside(self, number: int) -> Path:
        """Return the image's real path; links may have been changed since the table was built."""
        path = self.frames[number].candidate.image_path
        real = os.path.realpath(path)
        if os.path.commonpath((real, self._root)) != self._root:
            raise DataError(path.name, "is a link that leads out of the image folder")
        return Path(real)


def require_writable(path: Path) -> None:
    """Refuse marks that could not be written, before anything is shown.

    Raises:
        UsageError: The file or its folder cannot be written to.
    """
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{path}: its folder cannot be written to, so no mark could be saved")
