"""Soft "fin-ray" fingers, which many laboratories print instead of the stock jaws.

Two struts that meet at the tip, joined by ribs with holes between them. Comes in: nothing. Goes
out: boxes in the gripper's frame, for ``scene`` to build geoms from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PARALLEL_OPENING", "Bar", "fin_ray_bars", "mirrored", "sample_bars"]

#: Gripper angle at which the two contact faces are parallel, 40 mm apart (from the arm's file).
PARALLEL_OPENING = 0.46
_CLOSING_FACE_X = -0.0015
_OTHER_FACE_X = 0.0385
_BASE_Z, _TIP_Z = -0.034, -0.106
_BASE_DEPTH, _TIP_DEPTH = 0.026, 0.005
_STRUT, _RIB, _HALF_WIDTH = 0.0013, 0.0009, 0.0095
_RIBS = 6


@dataclass(frozen=True)
class Bar:
    """A box of the finger: centre and half sizes in metres, turned about the jaws' width (y)."""

    center: tuple[float, float, float]
    half_size: tuple[float, float, float]
    turn: float

    def axes(self) -> NDArray[np.float64]:
        """Return the box's axes as columns, (3, 3)."""
        c, s = float(np.cos(self.turn)), float(np.sin(self.turn))
        return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def fin_ray_bars() -> tuple[Bar, ...]:
    """Return the fixed finger: inner strut, outer strut, ribs, and a block that carries them."""
    inner = _bar((_CLOSING_FACE_X - _STRUT, _BASE_Z), (_CLOSING_FACE_X - _STRUT, _TIP_Z), _STRUT)
    outer = _bar((_back_x(_BASE_Z), _BASE_Z), (_back_x(_TIP_Z), _TIP_Z), _STRUT)
    # Ribs lean towards the tip; level ones would look like a ladder.
    ribs = [
        _bar((_CLOSING_FACE_X, z), (_back_x(z + 0.006), z + 0.006), _RIB)
        for z in np.linspace(_BASE_Z, _TIP_Z, _RIBS + 2)[1:-1]
    ]
    middle = (_back_x(_BASE_Z) + _CLOSING_FACE_X) / 2
    block = Bar((middle, 0.0, _BASE_Z), (_BASE_DEPTH / 2, _HALF_WIDTH, 0.006), 0.0)
    return (inner, outer, *ribs, block)


def _back_x(z: float) -> float:
    """Where the finger's back is at one height."""
    share = (z - _BASE_Z) / (_TIP_Z - _BASE_Z)
    return _CLOSING_FACE_X - (_BASE_DEPTH + share * (_TIP_DEPTH - _BASE_DEPTH))


def _bar(start_xz: tuple[float, float], end_xz: tuple[float, float], half_thickness: float) -> Bar:
    (x0, z0), (x1, z1) = start_xz, end_xz
    length = float(np.hypot(x1 - x0, z1 - z0))
    center = ((x0 + x1) / 2, 0.0, (z0 + z1) / 2)
    # The box's long side is its z axis.
    turn = float(np.arctan2(x1 - x0, z1 - z0))
    return Bar(center, (half_thickness, _HALF_WIDTH, length / 2), turn)


def mirrored(bar: Bar) -> Bar:
    """Return the moving finger's part that faces ``bar`` while the jaws are parallel."""
    x, y, z = bar.center
    return Bar((_CLOSING_FACE_X + _OTHER_FACE_X - x, y, z), bar.half_size, -bar.turn)


def sample_bars(
    bars: tuple[Bar, ...], count: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw about ``count`` points on the boxes' surfaces, (N, 3), in the gripper's frame."""
    points = []
    for bar in bars:
        cube = rng.uniform(-1.0, 1.0, (count // len(bars), 3))
        # Push each point to the nearest face.
        face = np.argmax(np.abs(cube), axis=1)
        rows = np.arange(len(cube))
        cube[rows, face] = np.sign(cube[rows, face])
        points.append(cube * bar.half_size @ bar.axes().T + bar.center)
    return np.concatenate(points)
