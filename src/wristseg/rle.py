"""COCO run-length encoding in NumPy: counts down the columns, and their compressed text.

Gives what pycocotools gives, bit for bit, without trusting a size or a count: pycocotools 2.0.11
ends by signal or returns uninitialised memory on several malformed inputs. The text form is
COCO's variant of LEB128, https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c.
Called by ``data`` for labels and by ``predict`` for its COCO output.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["bbox_xywh", "compress", "decode", "decompress", "encode", "run_starts"]

# A character carries 5 bits. Counts stay below 2**28 (16384 x 16384 pixels), so 6 would do.
_MAX_CHARS_PER_COUNT = 8


def encode(mask: NDArray[np.uint8]) -> list[int]:
    """Return run lengths of zeros and ones in turn, column by column, zeros first.

    Args:
        mask: (H, W) uint8 or bool; everything but 0 counts as 1.

    >>> encode(np.array([[0, 1], [0, 1]], np.uint8))
    [2, 2]
    >>> encode(np.array([[1, 0]], np.uint8))
    [0, 1, 1]
    """
    flat = np.asarray(mask).ravel(order="F") != 0
    if flat.size == 0:
        return [0]
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], borders, [flat.size]))
    counts: list[int] = np.diff(edges).tolist()
    return [0, *counts] if flat[0] else counts


def decode(counts: Sequence[int], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the mask of these run lengths.

    Returns:
        (H, W) uint8, 0 or 1, in Fortran order as pycocotools gives it.

    Raises:
        ValueError: A count is negative, there is none, or they do not add up to H*W.

    >>> decode([2, 2], (2, 2))
    array([[0, 1],
           [0, 1]], dtype=uint8)
    """
    height, width = size_hw
    runs = np.asarray(counts, np.int64)
    if runs.size == 0 or runs.min() < 0:
        raise ValueError("counts are empty or negative, expected run lengths of 0 or more")
    if int(runs.sum()) != height * width:
        raise ValueError(f"counts add up to {int(runs.sum())}, expected {height}*{width}")
    values = (np.arange(runs.size) % 2).astype(np.uint8)
    return np.repeat(values, runs).reshape(width, height).T


def bbox_xywh(counts: Sequence[int], size_hw: tuple[int, int]) -> list[int]:
    """Return left, top, width and height of the pixels that are 1; zeros where none is.

    Raises:
        ValueError: As ``decode``.

    >>> bbox_xywh([3, 1, 2], (2, 3))
    [1, 1, 1, 1]
    """
    mask = decode(counts, size_hw)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return [0, 0, 0, 0]
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]


def compress(counts: Sequence[int]) -> str:
    """Return the text that pycocotools writes for these counts.

    >>> compress([2, 2])
    '22'
    """
    rest = np.asarray(counts, np.int64).copy()
    rest[3:] -= np.asarray(counts, np.int64)[1:-2]
    open_, columns = np.ones(rest.size, bool), []
    while open_.any():
        low = rest & 0x1F
        rest >>= 5
        more = open_ & np.where(low & 0x10, rest != -1, rest != 0)
        # -1 marks the places behind a count's last character.
        columns.append(np.where(open_, low + 48 + 0x20 * more, -1))
        open_ = more
    characters = np.stack(columns, axis=1).ravel() if columns else np.empty(0, np.int64)
    return characters[characters >= 0].astype(np.uint8).tobytes().decode("ascii")


def decompress(text: str, *, max_counts: int) -> list[int]:
    """Read compressed counts.

    Args:
        text: The compressed form, as ``compress`` and pycocotools write it.
        max_counts: Most counts to accept; H*W + 1 is enough for runs of 1 or more.

    Raises:
        ValueError: A character is not of the code, the last count is unterminated, a count is
            negative or too long, or there are none or too many.

    >>> decompress("22", max_counts=5)
    [2, 2]
    """
    if len(text) > max_counts * _MAX_CHARS_PER_COUNT:
        raise ValueError(f"{len(text)} characters, too long for {max_counts} counts")
    values, _ = _differences(text.encode("utf-8"))
    if values.size > max_counts:
        raise ValueError(f"{values.size} counts, expected at most {max_counts}")
    counts = _undo_differences(values)
    if counts.min() < 0:
        raise ValueError("a negative count")
    result: list[int] = counts.tolist()
    return result


def run_starts(texts: Sequence[bytes]) -> list[NDArray[np.int64]]:
    """Return where the runs of several masks begin, counted in pixels down the columns.

    The first run, which begins at 0, is left out. All texts are read in one go: an outline has
    some hundred counts, and NumPy spends its time on calls rather than on so few numbers.

    Args:
        texts: Compressed counts that pycocotools wrote; not for those of a file.

    Raises:
        ValueError: As ``decompress``, but for the sum and the sign of the counts.

    >>> run_starts([b"22", b"013"])
    [array([2]), array([0, 1])]
    """
    if not texts:
        return []
    values, ends = _differences(b"".join(texts))
    last = np.cumsum([len(text) for text in texts]) - 1
    places = [0, *(np.searchsorted(ends, last) + 1).tolist()]
    return [np.cumsum(_undo_differences(values[begin:end]))[:-1] for begin, end in pairwise(places)]


def _differences(text: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers that a text spells, and the place of each one's last character."""
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if codes.size == 0:
        raise ValueError("no counts")
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError("a character outside '0' to 'o', which compressed counts do not use")
    ends = np.flatnonzero((codes & 0x20) == 0)
    if ends.size == 0 or ends[-1] != codes.size - 1:
        raise ValueError("the last count is unterminated")
    return _join_characters(codes, ends), ends


def _join_characters(codes: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Put 5-bit groups together, lowest first, and extend the sign of the last one."""
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _MAX_CHARS_PER_COUNT:
        raise ValueError(f"a count of {lengths.max()} characters, too long for any image")
    places = np.arange(codes.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F) << (5 * places), starts)
    negative = (codes[ends] & 0x10) != 0
    return np.where(negative, values - (1 << (5 * lengths)), values)


def _undo_differences(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Undo the difference to the count two places before, which starts at the fourth."""
    counts = values.copy()
    # Values are below 2**40, so a sum leaves the range of counts long before it could wrap.
    counts[1::2] = np.cumsum(values[1::2])
    counts[2::2] = np.cumsum(values[2::2])
    return counts
