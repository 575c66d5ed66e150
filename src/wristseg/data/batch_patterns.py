"""Patterns for whole batches in PyTorch: coloured cells, stains, and parts of other frames.

In: how many, and how large. Out: pictures of 0 to 1 on the device. Called by
``data.batch_augment``, which multiplies classes by them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wristseg.data.frame_pool import moved

__all__ = ["PatternMaker", "seen_through"]

#: Natural logarithms of the cells of a pattern along the frame's shorter side, from coarse to fine.
_LOG_CELLS = (math.log(1.5), math.log(24.0))
#: Most cells of a pattern along either side, of which a part is seen.
_CANVAS = 48
#: How much a pattern is smaller at one side of the frame: a table is seen at an angle.
_TILT = 0.35
#: Cells of stains, from coarse to fine; each has half the weight of the one before.
_STAINS = (6, 12, 24, 48)
#: Share of a frame that is seen as a pattern, along either side: a part of a thing, not all of it.
_PART = (0.08, 0.3)


class PatternMaker:
    """Draws patterns on a device.

    Args:
        device: Where they lie.
        rng: Source of chance on the host.
        pixels: Source of chance on the device.
    """

    def __init__(
        self, device: torch.device, *, rng: np.random.Generator, pixels: torch.Generator
    ) -> None:
        self._device, self._rng, self._pixels = device, rng, pixels

    def draw(self, count: int, size_hw: Sequence[int], *, frames: Tensor | None = None) -> Tensor:
        """Return (count, 3, H, W) float32, 0 to 1: of one kind, each at an angle of its own.

        Args:
            count: How many.
            size_hw: Height and width.
            frames: (n, 3, h, w) float32, 0 to 1, of which parts may be shown enlarged.
        """
        kind = self._rng.integers(2 if frames is None else 3)  # one for all: batches are many
        if kind == 2 and frames is not None:
            others = self._rng.integers(0, len(frames), count)
            part = self._rng.uniform(*_PART, (1, count))
            return self._seen(frames[self._moved(others)], np.repeat(part, 2, axis=0), size_hw)
        cells = np.exp(self._rng.uniform(*_LOG_CELLS, (2, count)))
        cells[1] = np.where(self._rng.random(count) < 0.5, cells[0], cells[1])
        canvas = self._cells(count) if kind == 0 else self._stains(count)
        return self._seen(canvas, cells / _CANVAS, size_hw)

    def _cells(self, count: int) -> Tensor:
        """Return canvases of squares in two to five colours, or in shades of one."""
        draw = self._rng
        palettes = draw.random((count, 5, 3))
        shades = palettes.mean(axis=2, keepdims=True) * draw.uniform(0.6, 1.0, (count, 1, 3))
        palettes = np.where(draw.random((count, 1, 1)) < 0.3, shades, palettes)
        used = self._moved(draw.integers(2, 6, (count, 1)))
        shape = (count, _CANVAS**2)
        cells = (torch.rand(shape, generator=self._pixels, device=self._device) * used).long()
        cells = cells.unsqueeze(1).expand(-1, 3, -1)
        canvas = self._moved(palettes.transpose(0, 2, 1)).gather(2, cells)
        return canvas.view(count, 3, _CANVAS, _CANVAS)

    def _stains(self, count: int) -> Tensor:
        """Return canvases of soft noise; most of it is in the shade, less in the colour."""
        total = torch.zeros((count, 3, _CANVAS, _CANVAS), device=self._device)
        for octave, cells in enumerate(_STAINS):
            shape = (count, 4, cells, cells)
            noise = torch.rand(shape, generator=self._pixels, device=self._device)
            mixed = 0.65 * noise[:, :1] + 0.35 * noise[:, 1:]
            total += functional.interpolate(mixed, size=_CANVAS, mode="bilinear") / 2**octave
        deviation, mean = torch.std_mean(total, dim=(2, 3), keepdim=True)
        stretch = self._moved(self._rng.uniform(0.12, 0.4, count)).view(-1, 1, 1, 1)
        return ((total - mean) / deviation * stretch + 0.5).clamp_(0, 1)

    def _seen(self, canvas: Tensor, along: NDArray[np.float64], size_hw: Sequence[int]) -> Tensor:
        """Return canvases from somewhere above them.

        Args:
            canvas: (count, 3, h, w).
            along: (2, count), what is seen of it in x and y, as a share.
            size_hw: Height and width.
        """
        draw, count = self._rng, len(canvas)
        angle = draw.uniform(-math.pi, math.pi, count)
        cos, sin, nil = np.cos(angle), np.sin(angle), np.zeros(count)
        tilt = draw.uniform(-_TILT, _TILT, (2, count))
        offset = draw.uniform(-0.7, 0.7, (2, count))
        homography = [
            [along[0] * cos, -along[0] * sin, offset[0]],
            [along[1] * sin, along[1] * cos, offset[1]],
            [tilt[0], tilt[1], nil + 1.0],
        ]
        matrix = self._moved(np.moveaxis(np.array(homography), -1, 0))
        wide = torch.tensor([size_hw[1] / size_hw[0], 1.0, 1.0])  # so that square cells stay square
        grid = seen_through(matrix * wide.to(matrix), size_hw)
        return functional.grid_sample(
            canvas,
            grid,
            mode="nearest" if draw.random() < 0.5 else "bilinear",
            padding_mode="reflection",
            align_corners=False,
        )

    def _moved(self, values: NDArray[np.generic]) -> Tensor:
        return moved(values, self._device)


def seen_through(homographies: Tensor, size_hw: Sequence[int]) -> Tensor:
    """Return (N, H, W, 2): where each pixel is taken from, as ``grid_sample`` wants it.

    Args:
        homographies: (N, 3, 3) float32, of places that are -1 to 1 across the frame.
        size_hw: Height and width.
    """
    height, width = size_hw
    y, x = (
        (torch.arange(side, device=homographies.device) * 2 + 1) / side - 1
        for side in (height, width)
    )
    places = torch.meshgrid(x, y, indexing="xy")
    points = torch.stack([*places, torch.ones_like(places[0])]).view(3, -1)
    seen = homographies @ points
    grid = seen[:, :2] / seen[:, 2:]
    return grid.view(-1, 2, height, width).permute(0, 2, 3, 1)
