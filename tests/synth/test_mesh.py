"""Meshes are cut exactly, welded, and sampled over their surface."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.errors import DataError
from wristseg.synth.mesh import cut_at_z, read_stl, sample_surface, weld

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
