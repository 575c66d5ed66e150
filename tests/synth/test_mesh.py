"""Meshes are cut exactly, welded, and sampled over their surface."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.errors import DataError
from wristseg.synth.mesh import cut_at_z, read_stl, sample_surface, simplify, weld

_TALL = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]])


def _area(triangles):
    edges = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return 0.5 * np.linalg.norm(edges, axis=1).sum()


def test_both_halves_together_have_the_area_of_the_whole():
    rng = np.random.default_rng(0)
    soup = rng.normal(size=(200, 3, 3))
    below, above = cut_at_z(soup, 0.1)
    assert below[:, :, 2].max() <= 0.1 + 1e-12
    assert above[:, :, 2].min() >= 0.1 - 1e-12
    assert _area(below) + _area(above) == pytest.approx(_area(soup))


def test_mesh_on_one_side_is_left_whole():
    below, above = cut_at_z(_TALL, 5.0)
    assert np.array_equal(below, _TALL)
    assert above.shape == (0, 3, 3)


def test_weld_shares_corners_and_drops_collapsed_triangles():
    square = np.array(
        [
            [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
            [[0, 0, 0], [1, 1, 0], [0, 1, 0]],
            [[0, 0, 0], [0, 0, 0], [1, 0, 0]],
        ],
        float,
    )
    vertices, faces = weld(square)
    assert len(vertices) == 4
    assert np.allclose(vertices[faces], square[:2])


def _sphere(rows):
    """A sphere of radius 1 as (V, 3) vertices and (T, 3) faces."""
    around, down = np.meshgrid(
        np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False), np.linspace(0, np.pi, rows)
    )
    points = [np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down)]
    corner = np.arange(rows * 2 * rows).reshape(rows, 2 * rows)
    right = np.roll(corner, -1, axis=1)
    squares = [corner[:-1], right[:-1], right[1:], corner[1:]]
    first, second, third, fourth = (square.ravel() for square in squares)
    faces = np.concatenate(
        [np.stack([first, second, third], 1), np.stack([first, third, fourth], 1)]
    )
    return weld(np.stack(points, -1).reshape(-1, 3)[faces])


def test_simplified_mesh_keeps_its_shape_with_fewer_triangles():
    vertices, faces = _sphere(120)
    fewer, kept = simplify(vertices, faces, cell=0.1)
    assert len(kept) < len(faces) / 10
    assert np.abs(np.linalg.norm(fewer, axis=1) - 1).max() < 0.01
    assert _area(fewer[kept]) == pytest.approx(4 * np.pi, rel=0.02)
    # Seen from outside as before: a mesh that is inside out encloses less than nothing.
    assert _volume(fewer[kept]) == pytest.approx(_volume(vertices[faces]), rel=0.03)


def _volume(triangles):
    first, second, third = np.moveaxis(triangles, 1, 0)
    return np.einsum("ij,ij->", first, np.cross(second, third)) / 6


def test_triangles_that_coincide_go_but_not_the_back_of_a_sheet():
    vertices = np.eye(3)
    faces = np.array([[0, 1, 2], [1, 2, 0], [2, 1, 0]])
    _, kept = simplify(vertices, faces, cell=0.5)
    assert len(kept) == 2
    front, back = np.cross(*np.moveaxis(np.diff(vertices[kept], axis=1), 1, 0))
    assert front @ back < 0


def test_cells_finer_than_the_mesh_leave_it_as_it_is():
    vertices, faces = _sphere(12)
    same, kept = simplify(vertices, faces, cell=1e-4)
    assert np.allclose(same[kept], vertices[faces])


def test_what_is_smaller_than_a_cell_goes():
    vertices, faces = _sphere(12)
    _, kept = simplify(vertices + 5.0, faces, cell=10.0)
    assert kept.shape == (0, 3)


def test_samples_lie_in_the_triangle():
    points = sample_surface(_TALL, 500, rng=np.random.default_rng(0))
    assert np.all(points[:, 1] == 0.0)
    assert np.all(points[:, 0] + points[:, 2] / 2 <= 1.0 + 1e-12)
    assert points.mean(axis=0) == pytest.approx(_TALL[0].mean(axis=0), abs=0.06)


def test_stl_cut_short_is_refused(tmp_path):
    path = tmp_path / "jaw.stl"
    path.write_bytes(bytes(80) + (2).to_bytes(4, "little") + bytes(50))
    with pytest.raises(DataError, match="134 bytes, expected 184 for 2 triangles"):
        read_stl(path)
