"""Mask runs: class ids of each frame of a video as COCO run lengths, one line of JSON per frame.

The first line says what the file is; each further one holds a frame's time and, by class id, the
compressed run lengths that pycocotools reads too. Class 0 is where no other is. Exact like a mask
video, and readable without a video library. Called by ``batch``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wristseg import rle
from wristseg.classes import ClassTable
from wristseg.errors import DataError

__all__ = ["MaskRunsWriter", "read_mask_runs"]

_FORMAT = "wristseg mask runs"


class MaskRunsWriter:
    """Writes a file of mask runs; used in a ``with`` block.

    Args:
        path: File to write.
        classes: Class table of the masks.
        time_base: Unit of the frames' times, in seconds.
        origin: Where the masks come from.
    """

    def __init__(
        self, path: Path, classes: ClassTable, *, time_base: Fraction, origin: str
    ) -> None:
        self._num_classes = len(classes)
        self._written = 0
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._write_line(
            {
                "format": _FORMAT,
                "classes": list(classes.names),
                "time_base": [time_base.numerator, time_base.denominator],
                "origin": origin,
            }
        )

    def write(self, mask: NDArray[np.uint8], pts: int) -> None:
        """Write one frame's mask, (H, W) uint8 class ids, with its time."""
        present = np.flatnonzero(np.bincount(mask.ravel(), minlength=self._num_classes))
        runs = {str(i): rle.compress(rle.encode(mask == i)) for i in present.tolist() if i > 0}
        line = {"frame": self._written, "pts": pts, "size": list(mask.shape), "runs": runs}
        self._write_line(line)
        self._written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _write_line(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def read_mask_runs(path: Path | str) -> Iterator[NDArray[np.uint8]]:
    """Yield the masks of a file of mask runs, (H, W) uint8 class ids each.

    Raises:
        DataError: The file is none, or a line of it is damaged.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                line = _line(path, number, text)
                if number == 1:
                    if line.get("format") != _FORMAT:
                        raise DataError(path, "is no file of mask runs")
                    continue
                yield _mask(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"cannot be read: {error}") from error


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"line {number} is no JSON: {error}") from error
    if not isinstance(line, dict):
        raise DataError(path, f"line {number}: expected an object")
    return line


def _mask(path: Path, number: int, line: dict[str, Any]) -> NDArray[np.uint8]:
    try:
        height, width = (int(length) for length in line["size"])
        if not (0 < height <= 16384 and 0 < width <= 16384):
            raise ValueError(f"size {height}x{width}")
        mask = np.zeros((height, width), np.uint8)
        for class_id, runs in line["runs"].items():
            counts = rle.decompress(runs, max_counts=height * width + 1)
            mask[rle.decode(counts, (height, width)) != 0] = int(class_id)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(path, f"line {number}: is no mask: {error}") from error
    return mask
