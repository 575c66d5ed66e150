"""Procedural surface textures: wood, cloth, laminate, prints; each tiles without a seam.

Comes in: a ``SurfaceLook``. Goes out: an RGB picture for a texture slot of the scene. Called by
``dress``; the same look gives the same picture on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.synth.look import SurfaceLook, TextureKind

__all__ = ["PATTERNS", "paint"]

_Field = NDArray[np.float32]
_Pattern = Callable[[int, np.random.Generator], _Field]


def paint(surface: SurfaceLook, size: int) -> NDArray[np.uint8]:
    """Draw a surface.

    Returns:
        (size, size, 3) uint8, RGB.
    """
    rng = np.random.default_rng(surface.seed)
    share = np.clip(PATTERNS[surface.kind](size, rng) * surface.contrast, 0.0, 1.0)[..., None]
    picture = (1.0 - share) * np.asarray(surface.base_rgb) + share * np.asarray(surface.other_rgb)
    if surface.kind == "printed":
        picture = _print_shapes(picture, surface.contrast, rng)
    elif surface.kind == "collage":
        picture = _paste_shapes(picture, surface.contrast, rng)
    # Uneven wear and dust, so that no surface is a perfect colour.
    wear = 1.0 + 0.06 * (_noise(size, rng, cells=(3, 3)) - 0.5)
    return np.asarray(np.clip(picture * wear[..., None], 0.0, 1.0) * 255, np.uint8)


def _noise(
    size: int, rng: np.random.Generator, *, cells: tuple[int, int], octaves: int = 4
) -> _Field:
    """Tileable fractal noise in 0-1; ``cells`` is the coarsest grid (down, across)."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        rows, columns = (min(size, cell << octave) for cell in cells)
        grid = rng.random((rows, columns), np.float32)
        # Wrapped borders make the interpolation meet at the tile's edges.
        wrapped = np.pad(grid, 2, mode="wrap")
        scale_y, scale_x = size // rows, size // columns
        big_hw = ((rows + 4) * scale_y, (columns + 4) * scale_x)
        smooth = cv2.resize(wrapped, big_hw[::-1], interpolation=cv2.INTER_CUBIC)
        tile = smooth[2 * scale_y : 2 * scale_y + rows * scale_y, 2 * scale_x :][
            :, : columns * scale_x
        ]
        if tile.shape != total.shape:  # grids that do not divide the size
            tile = cv2.resize(tile, (size, size))
        total += tile / 2**octave
    low, high = np.percentile(total, (1, 99))
    return np.asarray(np.clip((total - low) / (high - low), 0.0, 1.0), np.float32)


def _plain(size: int, rng: np.random.Generator) -> _Field:
    return 0.25 * _noise(size, rng, cells=(4, 4)) + 0.1 * rng.random((size, size), np.float32)


def _wood(size: int, rng: np.random.Generator) -> _Field:
    across = np.arange(size, dtype=np.float32)[:, None] / size
    rings = int(rng.integers(4, 10))
    warp = _noise(size, rng, cells=(4, 1))
    ring = 0.5 + 0.5 * np.sin(2 * np.pi * (rings * across + 2.5 * warp))
    fibres = _noise(size, rng, cells=(128, 4), octaves=3)
    return np.asarray(0.45 * ring**2 + 0.55 * fibres, np.float32)


def _planks(size: int, rng: np.random.Generator) -> _Field:
    count = int(rng.integers(2, 5))
    field, width = _wood(size, rng), size // count
    for i in range(count):
        rows = slice(i * width, (i + 1) * width)
        shift = int(rng.integers(size))
        field[rows] = np.roll(field[rows], shift, axis=1) * rng.uniform(0.5, 1.0)
        field[i * width : i * width + max(2, size // 250)] = 1.6
    return field


def _cloth(size: int, rng: np.random.Generator) -> _Field:
    threads = int(rng.integers(60, 160))
    phase = 2 * np.pi * threads * np.arange(size, dtype=np.float32) / size
    weave = 0.5 + 0.25 * (np.sin(phase)[:, None] + np.sin(phase)[None, :])
    folds = _noise(size, rng, cells=(2, 2), octaves=3)
    return np.asarray(0.45 * weave + 0.4 * folds + 0.15 * rng.random((size, size)), np.float32)


def _speckle(size: int, rng: np.random.Generator) -> _Field:
    grains = _noise(size, rng, cells=(size // 8, size // 8), octaves=2)
    return np.asarray((grains > rng.uniform(0.6, 0.8)) * 0.8 + 0.2 * grains, np.float32)


def _marble(size: int, rng: np.random.Generator) -> _Field:
    veins = np.abs(_noise(size, rng, cells=(3, 3), octaves=6) - 0.5) * 2
    return np.asarray(np.exp(-8 * veins) + 0.2 * _noise(size, rng, cells=(6, 6)), np.float32)


def _grid(size: int, rng: np.random.Generator) -> _Field:
    lines, width = int(rng.integers(6, 40)), max(1, size // 400)
    field = 0.15 * _noise(size, rng, cells=(8, 8))
    for at in np.linspace(0, size, lines, endpoint=False).astype(int):
        field[at : at + width] = field[:, at : at + width] = 1.0
    return field


def _stripes(size: int, rng: np.random.Generator) -> _Field:
    count = int(rng.integers(4, 24))
    wave = np.sin(2 * np.pi * count * np.arange(size, dtype=np.float32) / size)
    field = np.repeat((wave > rng.uniform(-0.6, 0.6)).astype(np.float32)[:, None], size, axis=1)
    if rng.random() < 0.4:
        field = np.maximum(field, 0.6 * field.T)
    return 0.85 * field + 0.15 * _noise(size, rng, cells=(32, 32), octaves=2)


def _checker(size: int, rng: np.random.Generator) -> _Field:
    cells = 2 * int(rng.integers(2, 7))
    at = np.arange(size) * cells // size
    field = ((at[:, None] + at[None, :]) % 2).astype(np.float32)
    return np.asarray(0.9 * field + 0.1 * _noise(size, rng, cells=(16, 16)), np.float32)


def _tiles(size: int, rng: np.random.Generator) -> _Field:
    """Glazed tiles, each of its own shade, with wide joints."""
    cells = int(rng.integers(3, 9))
    at, joint = np.arange(size) * cells // size, (np.arange(size) * cells / size) % 1.0 < 0.06
    shades = 0.35 * rng.random((cells, cells)).astype(np.float32)
    field = shades[at[:, None], at[None, :]] + 0.1 * _noise(size, rng, cells=(24, 24))
    return np.where(joint[:, None] | joint[None, :], np.float32(1.0), field)


def _dots(size: int, rng: np.random.Generator) -> _Field:
    """Spots of a polka-dot cloth, every other row between those of its neighbours."""
    cells, radius = 2 * int(rng.integers(2, 7)), rng.uniform(0.2, 0.36)
    y = np.arange(size, dtype=np.float32)[:, None] * cells / size
    x = np.arange(size, dtype=np.float32)[None, :] * cells / size + 0.5 * (y.astype(int) % 2)
    apart = np.hypot(y % 1.0 - 0.5, x % 1.0 - 0.5)
    spots = np.clip((radius - apart) * size / cells + 0.5, 0.0, 1.0)
    return np.asarray(0.85 * spots + 0.15 * rng.random((size, size)), np.float32)


def _basket(size: int, rng: np.random.Generator) -> _Field:
    """Parquet of square blocks whose strips lie along and across in turn."""
    cells, strips = 2 * int(rng.integers(1, 4)), int(rng.integers(3, 6))
    y, x = np.mgrid[:size, :size].astype(np.float32) * cells / size
    across = (y.astype(int) + x.astype(int)) % 2 == 1
    along = np.where(across, x, y) % 1.0 * strips
    shades = rng.random((cells, cells, strips)).astype(np.float32)
    shade = shades[y.astype(int), x.astype(int), np.minimum(along.astype(int), strips - 1)]
    fibres = _noise(size, rng, cells=(128, 4), octaves=3)
    field = 0.5 * shade + 0.35 * np.where(across, fibres.T, fibres)
    return np.asarray(np.where(along % 1.0 < 0.05, 1.3, field), np.float32)


def _tartan(size: int, rng: np.random.Generator) -> _Field:
    """Bands of several widths, woven along and across."""
    bands, at = np.zeros(size, np.float32), 0
    while at < size:
        width = int(size * rng.uniform(0.02, 0.12))
        bands[at : at + width] = rng.choice([0.0, 0.35, 0.7, 1.0])
        at += width
    twill = (np.add.outer(np.arange(size), np.arange(size)) // 3) % 2 == 0
    woven = np.where(twill, bands[:, None], bands[None, :])
    return np.asarray(0.4 * woven + 0.3 * (bands[:, None] + bands[None, :]), np.float32)


def _terrazzo(size: int, rng: np.random.Generator) -> _Field:
    """Chips of stone in a plain ground."""
    field = np.asarray(0.15 * _noise(size, rng, cells=(8, 8)), np.float32)
    for _ in range(int(rng.integers(60, 160))):
        angles = np.sort(rng.uniform(0.0, 2 * np.pi, int(rng.integers(4, 8))))
        reach = size * rng.uniform(0.008, 0.035)
        chip = reach * np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.uniform(0, size, 2)
        shade = float(rng.uniform(0.4, 1.0))
        for shift in np.ndindex(3, 3):  # copies beyond the edges, so that the tile has no seam
            points = np.round(chip + size * (np.array(shift) - 1)).astype(np.int32)
            cv2.fillConvexPoly(field, points, shade, cv2.LINE_AA)
    return field


def _mosaic(size: int, rng: np.random.Generator) -> _Field:
    """Cells around random points, each of its own shade."""
    points, wide = rng.integers(0, size, (int(rng.integers(20, 220)), 2)), 2 * size
    # Half a tile more on every side, so that cells meet at the tile's edges.
    copies = [
        tuple(((points + size * np.array(shift) + size // 2) % wide).T)
        for shift in np.ndindex(2, 2)
    ]
    seeds = np.full((wide, wide), 255, np.uint8)
    for copy in copies:
        seeds[copy] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    drawn, shades = rng.random(len(points)), np.zeros(labels.max() + 1)
    for copy in copies:
        shades[labels[copy]] = drawn
    inner = slice(size // 2, size // 2 + size)
    return np.asarray(shades[labels[inner, inner]], np.float32)


def _clouds(size: int, rng: np.random.Generator) -> _Field:
    """Soft stains of all sizes."""
    cells = int(rng.integers(1, 7))
    return _noise(size, rng, cells=(cells, cells), octaves=6)


def _bricks(size: int, rng: np.random.Generator) -> _Field:
    """Rows of bricks, every other one moved by half of one."""
    rows, columns = 2 * int(rng.integers(2, 9)), int(rng.integers(2, 9))
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    row = (y * rows).astype(int)
    along = x * columns + 0.5 * (row % 2)
    shades = rng.random((rows, columns)).astype(np.float32)
    joint = (y * rows % 1.0 < 0.08) | (along % 1.0 < 0.08 * columns / rows)
    field = 0.5 * shades[row, along.astype(int) % columns]
    field = field + 0.2 * _noise(size, rng, cells=(32, 32), octaves=2)
    return np.where(joint, np.float32(1.0), field).astype(np.float32)


def _scribble(size: int, rng: np.random.Generator) -> _Field:
    """Lines that wander about, thin and thick."""
    field = np.zeros((size, size), np.uint8)  # OpenCV smooths lines on these alone
    for _ in range(int(rng.integers(4, 24))):
        steps = rng.normal(0.0, 0.06 * size, (int(rng.integers(3, 14)), 2))
        line = rng.uniform(0, size, 2) + np.cumsum(np.cumsum(steps, axis=0) * 0.5, axis=0)
        thick = max(1, int(size * math.exp(rng.uniform(math.log(0.002), math.log(0.04)))))
        shade = float(rng.uniform(100, 255))
        for shift in np.ndindex(3, 3):
            points = np.round(line + size * (np.array(shift) - 1)).astype(np.int32)
            cv2.polylines(field, [points], False, shade, thick, cv2.LINE_AA)
    return np.asarray(field / 255, np.float32)


def _waves(size: int, rng: np.random.Generator) -> _Field:
    """Bands that bend, as on a zebra or agate."""
    bands = int(rng.integers(2, 14))
    bend = _noise(size, rng, cells=(2, 2), octaves=int(rng.integers(1, 4)))
    phase = np.arange(size, dtype=np.float32)[:, None] / size * bands
    wave = np.sin(2 * np.pi * (phase + rng.uniform(0.5, 4.0) * bend))
    return np.asarray(np.clip(0.5 + rng.uniform(0.5, 3.0) * wave, 0.0, 1.0), np.float32)


def _layers(size: int, rng: np.random.Generator) -> _Field:
    """Lines of a 3D print."""
    wave = np.sin(2 * np.pi * 24 * np.arange(size, dtype=np.float32) / size)
    return (0.5 + 0.3 * wave[:, None] + 0.2 * _noise(size, rng, cells=(8, 8))).astype(np.float32)


def _print_shapes(
    picture: NDArray[np.float64], contrast: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Print coloured discs, boxes, strokes and text on a surface."""
    # OpenCV 5 draws text on 8-bit pictures only.
    size, printed = len(picture), (np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    for _ in range(int(rng.integers(10, 50))):
        color = [int(v) for v in rng.integers(0, 256, 3)]
        x, y = (int(v) for v in rng.integers(0, size, 2))
        reach = int(size * rng.uniform(0.01, 0.12))
        match rng.integers(4):
            case 0:
                cv2.circle(printed, (x, y), reach, color, -1, cv2.LINE_AA)
            case 1:
                cv2.rectangle(printed, (x, y), (x + 2 * reach, y + reach), color, -1)
            case 2:
                cv2.line(
                    printed, (x, y), (x + 3 * reach, y - reach), color, 2 + reach // 8, cv2.LINE_AA
                )
            case _:
                text = "".join(chr(c) for c in rng.integers(65, 91, 6))
                cv2.putText(printed, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, reach / 30, color, 2)
    return np.asarray(picture * (1 - contrast) + printed / 255.0 * contrast)


def _paste_shapes(
    picture: NDArray[np.float64], contrast: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Cover a surface with coloured polygons, large ones first."""
    size, pasted = len(picture), (np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    palette = rng.integers(0, 256, (int(rng.integers(2, 9)), 3))
    pieces = int(rng.integers(20, 120))
    reaches = np.sort(np.exp(rng.uniform(math.log(0.02), math.log(0.35), pieces)))[::-1]
    for reach in reaches * size:
        angles = np.sort(rng.uniform(0.0, 2 * np.pi, int(rng.integers(3, 8))))
        shape = reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        at = shape * rng.uniform(0.3, 1.0, 2) + rng.uniform(0, size, 2)
        color = [int(v) for v in palette[rng.integers(len(palette))]]
        for shift in np.ndindex(3, 3):
            points = np.round(at + size * (np.array(shift) - 1)).astype(np.int32)
            cv2.fillPoly(pasted, [points], color, cv2.LINE_AA)
    return np.asarray(picture * (1 - contrast) + pasted / 255.0 * contrast)


PATTERNS: dict[TextureKind, _Pattern] = {
    "plain": _plain,
    "wood": _wood,
    "planks": _planks,
    "cloth": _cloth,
    "speckle": _speckle,
    "marble": _marble,
    "grid": _grid,
    "stripes": _stripes,
    "layers": _layers,
    "printed": _plain,
    "checker": _checker,
    "tiles": _tiles,
    "dots": _dots,
    "basket": _basket,
    "tartan": _tartan,
    "terrazzo": _terrazzo,
    "mosaic": _mosaic,
    "clouds": _clouds,
    "bricks": _bricks,
    "scribble": _scribble,
    "waves": _waves,
    "collage": _plain,
}
