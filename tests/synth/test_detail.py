"""Small frames are drawn with less detail, and show the same."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from wristseg.synth.detail import FULL, SMALL, detail_for

pytestmark = pytest.mark.sim

# A process each: a second OpenGL context in one breaks the picture of ids.
_DRAW = """
import sys
import numpy as np
from wristseg.synth import detail, worker
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import Scene

worker.detail_for = lambda size_hw: getattr(detail, sys.argv[1])
plans = plan_randomised(Scene.build(), frames=6, seed=3, burst=1)
studio = worker.Studio.open(size_hw=(240, 320))
drawn = [studio.draw(plan) for plan in plans]
triangles = studio.scene.model.nmeshface
studio.renderer.close()
np.savez(
    sys.argv[2],
    ids=[frame.exact for frame in drawn],
    photos=[frame.photo for frame in drawn],
    triangles=triangles,
)
"""


def test_detail_follows_the_height():
    assert detail_for((480, 640)) is FULL
    assert detail_for((241, 320)) is FULL
    assert detail_for((240, 320)) is SMALL
    assert detail_for((84, 84)) is SMALL


def test_small_frames_show_the_same_with_a_sixth_of_the_triangles(tmp_path):
    drawn = []
    for name in ("FULL", "SMALL"):
        path = tmp_path / f"{name}.npz"
        subprocess.run([sys.executable, "-c", _DRAW, name, str(path)], check=True, timeout=120)
        drawn.append(np.load(path))
    full, small = drawn
    assert small["triangles"] < full["triangles"] / 6
    assert np.mean(full["ids"] != small["ids"]) < 0.001
    # Textures are drawn anew from fewer random numbers, so that surfaces look alike, not the same.
    difference = full["photos"].mean(axis=(1, 2)) - small["photos"].mean(axis=(1, 2))
    assert np.abs(difference).max() < 20
