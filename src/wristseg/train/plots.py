"""Pictures of a run folder: curves, confusion matrix, a training batch, validation predictions.

matplotlib's figures are used without pyplot, which keeps global state and may look for a screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from wristseg.artifacts import atomic_path
from wristseg.classes import ClassTable
from wristseg.overlay import blend, colorize
from wristseg.pages.plots import confusion_png
from wristseg.train.history import Row

__all__ = ["draw_batch", "draw_confusion", "draw_curves", "draw_predictions"]

#: Narrower tiles than this are enlarged, or 84x84 frames could not be looked at.
_TILE_WIDTH = 320
_MOST_TILES = 16
_MOST_PREDICTIONS = 8
_GAP = 4


def draw_curves(path: Path, rows: Sequence[Row], classes: ClassTable) -> None:
    """Draw losses, val/iou, IoU per class and learning rate over the epochs.

    Args:
        path: PNG to write.
        rows: Rows of ``results.csv``.
        classes: Names and colours of the classes.
    """
    epochs = [row["epoch"] for row in rows]

    def column(key: str) -> NDArray[np.float64]:
        return np.array([row[key] for row in rows], dtype=np.float64)  # None becomes NaN

    figure = Figure(figsize=(12, 7), layout="constrained")
    losses, ious, per_class, rates = figure.subplots(2, 2).flat
    for key in ("train/loss", "val/loss"):
        losses.plot(epochs, column(key), label=key)
    ious.plot(epochs, column("val/iou"), label="val/iou", color="black")
    best = int(np.nanargmax(column("val/iou")))
    ious.plot(epochs[best], rows[best]["val/iou"], "o", color="black", label="best")
    for name, color in zip(classes.names, classes.colors_rgb, strict=True):
        shade = np.array(color) / 255 * 0.85  # yellow on white needs it
        per_class.plot(epochs, column(f"iou/{name}"), label=name, color=tuple(shade))
    rates.plot(epochs, column("lr"), color="grey", label="learning rate")
    for axes in (losses, ious, per_class, rates):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    ious.set_ylim(0, 1)
    per_class.set_ylim(0, 1)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100)


def draw_confusion(path: Path, confusion: NDArray[np.int64], classes: ClassTable) -> None:
    """Draw which share of each class's pixels was predicted as what.

    Args:
        path: PNG to write.
        confusion: (C, C) int64, rows are true classes.
        classes: Names of the classes.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(confusion_png(confusion, classes))


def draw_batch(
    path: Path, frames: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], classes: ClassTable
) -> None:
    """Draw augmented frames with their labels over them, as the network gets them.

    Args:
        path: JPEG to write.
        frames: Images (h, w, 3) and class ids (h, w), uint8.
        classes: Colours of the classes.
    """
    tiles = [_tile(blend(image, mask, classes)) for image, mask in frames[:_MOST_TILES]]
    _save_grid(path, tiles, columns=min(4, len(tiles)))


def draw_predictions(
    path: Path,
    frames: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]],
    classes: ClassTable,
) -> None:
    """Draw rows of frame, label and prediction.

    Args:
        path: JPEG to write.
        frames: Image (h, w, 3), labelled ids (h, w) and predicted ids (h, w), uint8.
        classes: Colours of the classes.
    """
    every = max(1, len(frames) // _MOST_PREDICTIONS)
    tiles = [
        _tile(picture)
        for image, label, predicted in frames[::every][:_MOST_PREDICTIONS]
        for picture in (image, colorize(label, classes), colorize(predicted, classes))
    ]
    _save_grid(path, tiles, columns=6 if len(tiles) > 12 else 3)


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    size_wh = (_TILE_WIDTH, max(1, round(height * _TILE_WIDTH / width)))
    how = Image.Resampling.NEAREST if width < _TILE_WIDTH else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize(size_wh, how))


def _save_grid(path: Path, tiles: Sequence[NDArray[np.uint8]], *, columns: int) -> None:
    height, width = (side + _GAP for side in tiles[0].shape[:2])
    rows = -(-len(tiles) // columns)
    grid = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * height, i % columns * width
        grid[top : top + height - _GAP, left : left + width - _GAP] = tile
    with atomic_path(path) as temporary:
        Image.fromarray(grid).save(temporary, quality=88)
