"""A sheet of small pictures, to look over what a command chose or made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.artifacts import atomic_path

__all__ = ["Tile", "evenly", "write_sheet"]

#: A picture, (H, W, 3) uint8 RGB, and the line under it.
Tile = tuple[NDArray[np.uint8], str]

_WIDTH, _GAP, _LINE = 320, 4, 16


def evenly(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the places 0 to ``count - 1``, evenly spread, ends included.

    >>> evenly(9, 3), evenly(2, 3)
    ([0, 4, 8], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return [int(place) for place in np.linspace(0, count - 1, most).round()]


def write_sheet(path: Path, tiles: Sequence[Tile], *, columns: int = 4) -> None:
    """Write pictures in rows, each with its line of text, as a JPEG.

    Args:
        path: The file; written whole or not at all.
        tiles: At least one; pictures of any size, brought to one width.
        columns: Pictures per row.
    """
    drawn = [_drawn(picture, text) for picture, text in tiles]
    height = max(tile.shape[0] for tile in drawn) + _GAP
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    sheet = np.full((rows * height, columns * (_WIDTH + _GAP), 3), 255, np.uint8)
    for i, tile in enumerate(drawn):
        top, left = i // columns * height, i % columns * (_WIDTH + _GAP)
        sheet[top : top + tile.shape[0], left : left + _WIDTH] = tile
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, "JPEG", quality=88)


def _drawn(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
    how = Image.Resampling.NEAREST if picture.shape[1] < _WIDTH else Image.Resampling.BILINEAR
    small = np.asarray(Image.fromarray(picture).resize((_WIDTH, height), how))
    line = np.full((_LINE, _WIDTH, 3), 255, np.uint8)
    # Hershey fonts know ASCII alone; everything else would become question marks.
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(
        line, shown, (2, _LINE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA
    )
    return np.vstack([small, line])
