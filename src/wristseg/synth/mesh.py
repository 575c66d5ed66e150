"""Triangle meshes of the arm: read from STL, cut in two, simplified, sampled for contact tests.

The follower part of the SO-101 is one printed piece, motor cage and fixed jaw; labels need the two
apart, so ``scene`` cuts it with ``cut_at_z``. ``contact`` tests touches on sampled points, because
MuJoCo's own distances use convex hulls and the moving jaw is hollow on its inner side.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import DataError

__all__ = ["cut_at_z", "read_stl", "sample_surface", "simplify", "weld"]

_STL_HEADER = 84
_STL_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_stl(path: Path) -> NDArray[np.float64]:
    """Read a binary STL file.

    Returns:
        (T, 3, 3) float64, the corners of T triangles in the file's unit.

    Raises:
        DataError: The length does not fit the triangle count in the header.
    """
    raw = path.read_bytes()
    count = int.from_bytes(raw[80:_STL_HEADER], "little")
    expected = _STL_HEADER + count * _STL_RECORD.itemsize
    if len(raw) < _STL_HEADER or len(raw) != expected:
        raise DataError(path, f"{len(raw)} bytes, expected {expected} for {count} triangles")
    return np.frombuffer(raw, _STL_RECORD, offset=_STL_HEADER)["corners"].astype(np.float64)


def cut_at_z(
    triangles: NDArray[np.float64], z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut a mesh along the plane of one z; triangles across it are split exactly.

    >>> below, above = cut_at_z(np.array([[[0, 0, 0], [1, 0, 0], [0, 0, 2]]], float), 1.0)
    >>> len(below), len(above)
    (2, 1)

    Args:
        triangles: (T, 3, 3) corners.
        z: Height of the plane in the mesh's frame.

    Returns:
        Two (T', 3, 3) arrays: what lies below the plane and what lies above it.
    """
    return _keep_side(triangles, z, sign=-1.0), _keep_side(triangles, z, sign=1.0)


def _keep_side(triangles: NDArray[np.float64], z: float, *, sign: float) -> NDArray[np.float64]:
    inside = sign * (triangles[:, :, 2] - z) >= 0.0
    whole = triangles[inside.all(axis=1)]
    pieces = []
    for corners in triangles[inside.any(axis=1) & ~inside.all(axis=1)]:
        outline = _clip(corners, z, sign=sign)
        pieces += [[outline[0], outline[i], outline[i + 1]] for i in range(1, len(outline) - 1)]
    return np.concatenate([whole, np.asarray(pieces).reshape(-1, 3, 3)])


def _clip(corners: NDArray[np.float64], z: float, *, sign: float) -> list[NDArray[np.float64]]:
    """Clip one triangle against a half space (Sutherland-Hodgman), giving 3 or 4 corners."""
    kept: list[NDArray[np.float64]] = []
    for here, following in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        height, next_height = sign * (here[2] - z), sign * (following[2] - z)
        if height >= 0.0:
            kept.append(here)
        if (height >= 0.0) != (next_height >= 0.0):
            share = height / (height - next_height)
            kept.append(here + share * (following - here))
    return kept


def weld(triangles: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Merge corners that coincide, so that the renderer can smooth shading across triangles.

    Returns:
        (V, 3) float64 vertices and (T, 3) int64 indices into them; triangles that collapse go.
    """
    # A micrometre: far below what the print or the picture shows.
    grid = np.round(triangles.reshape(-1, 3), 6)
    vertices, index = np.unique(grid, axis=0, return_inverse=True)
    return vertices, _proper(index.reshape(-1, 3).astype(np.int64))


def _proper(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out the faces with a corner twice."""
    first, second, third = faces.T
    proper: NDArray[np.int64] = faces[(first != second) & (second != third) & (first != third)]
    return proper


def simplify(
    vertices: NDArray[np.float64], faces: NDArray[np.int64], *, cell: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Merge the vertices in each cell of a cubic grid into their mean.

    After Rossignac and Borrel, "Multi-resolution 3D approximations for rendering complex scenes"
    (1993): crude beside edge collapses, but it cannot fail on the open and crossing surfaces of
    the arm's files.

    >>> corners = np.array([[0.1, 0, 0], [0.3, 0, 0], [1.5, 0, 0], [0, 1.5, 0]])
    >>> vertices, faces = simplify(corners, np.array([[0, 1, 2], [1, 2, 3]]), cell=1.0)
    >>> vertices.tolist(), len(faces)
    ([[0.2, 0.0, 0.0], [0.0, 1.5, 0.0], [1.5, 0.0, 0.0]], 1)

    Args:
        vertices: (V, 3) corners.
        faces: (T, 3) indices into them.
        cell: Side of a cell, in the vertices' unit.

    Returns:
        (V', 3) float64 vertices and (T', 3) int64 indices. Triangles that collapse go, and those
        that coincide and look to the same side; a sheet thinner than a cell keeps both sides.
    """
    grid = np.floor(vertices / cell).astype(np.int64)
    _, index, count = np.unique(grid, axis=0, return_inverse=True, return_counts=True)
    index = index.reshape(-1)
    merged = np.zeros((len(count), 3))
    np.add.at(merged, index, vertices)
    kept = _proper(index[faces])
    # Turned until the smallest comes first: the same three in the same sense are one triangle.
    turn = (kept.argmin(axis=1)[:, None] + np.arange(3)) % 3
    _, first = np.unique(np.take_along_axis(kept, turn, axis=1), axis=0, return_index=True)
    return merged / count[:, None], kept[np.sort(first)]


def sample_surface(
    triangles: NDArray[np.float64], count: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw points evenly over a mesh's surface.

    Returns:
        (count, 3) float64.
    """
    edge_a, edge_b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = np.linalg.norm(np.cross(edge_a, edge_b), axis=1)
    chosen = rng.choice(len(triangles), size=count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    # Points in the far half of the parallelogram are folded back into the triangle.
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    sampled: NDArray[np.float64] = triangles[chosen, 0] + u * edge_a[chosen] + v * edge_b[chosen]
    return sampled
