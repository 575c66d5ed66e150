"""Every texture follows its seed and tiles without a seam."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wristseg.synth.look import SurfaceLook
from wristseg.synth.textures import PATTERNS, paint

#: A line or another cell may begin where these tiles end.
_JUMPS = {"printed", "planks", "grid", "stripes", "checker", "tiles", "basket", "tartan", "bricks"}
_SEAMLESS = sorted(set(PATTERNS) - _JUMPS)


@pytest.mark.parametrize("kind", sorted(PATTERNS))
def test_texture_follows_its_seed(kind):
    surface = SurfaceLook(kind, (0.8, 0.6, 0.4), (0.2, 0.1, 0.1), 0.8, seed=1)
    assert np.array_equal(paint(surface, 128), paint(surface, 128))
    assert not np.array_equal(paint(surface, 128), paint(replace(surface, seed=2), 128))


@pytest.mark.parametrize("kind", _SEAMLESS)
def test_tile_meets_itself_at_its_edges(kind):
    surface = SurfaceLook(kind, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), 0.8, seed=4)
    tile = paint(surface, 256)[..., 0].astype(float)
    inner = np.abs(np.diff(tile, axis=0)).mean()
    assert np.abs(tile[0] - tile[-1]).mean() < 2.0 * inner + 2.0
    inner = np.abs(np.diff(tile, axis=1)).mean()
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() < 2.0 * inner + 2.0
