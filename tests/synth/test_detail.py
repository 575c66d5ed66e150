"""Small frames are drawn with less detail, and show the same."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.synth.detail import FULL, SMALL, detail_for

# A process each: a second OpenGL context in one breaks the picture of ids.
_DRAW = """
import sys
from dataclasses import replace
import mujoco
import numpy as np
from wristseg.synth import worker
from wristseg.synth.detail import FULL, SMALL
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import Scene

detail = {"full": FULL, "small": SMALL, "meshes": replace(FULL, cells_m=SMALL.cells_m)}[sys.argv[1]]
worker.detail_for = lambda size_hw: detail
plans = plan_randomised(Scene.build(), frames=6, seed=3, burst=1)
studio = worker.Studio.open(size_hw=(240, 320))
drawn = [studio.draw(plan) for plan in plans]
model = studio.scene.model
studio.renderer.close()
np.savez(
    sys.argv[2],
    ids=[frame.exact for frame in drawn],
    photos=[frame.photo for frame in drawn],
    triangles=model.mesh_facenum[model.geom_dataid[model.geom_type == mujoco.mjtGeom.mjGEOM_MESH]],
)
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Six frames in full, in small, and in full but for the arm's meshes."""
    folder, found = tmp_path_factory.mktemp("detail"), {}
    for name in ("full", "small", "meshes"):
        path = folder / f"{name}.npz"
        subprocess.run([sys.executable, "-c", _DRAW, name, str(path)], check=True, timeout=120)
        found[name] = np.load(path)
    return found


def test_detail_follows_the_height():
    assert detail_for((480, 640)) is FULL
    assert detail_for((241, 320)) is FULL
    assert detail_for((240, 320)) is SMALL
    assert detail_for((84, 84)) is SMALL


@pytest.mark.sim
def test_small_frames_have_the_same_masks_with_a_fifth_of_the_triangles(drawn):
    full, small = drawn["full"], drawn["small"]
    assert small["triangles"].sum() < full["triangles"].sum() / 5
    assert np.mean(full["ids"] != small["ids"]) < 0.0005
    for class_id in range(1, len(DEFAULT_CLASSES)):
        before, after = full["ids"] == class_id, small["ids"] == class_id
        assert before.any()
        assert (before & after).sum() > 0.99 * (before | after).sum()


@pytest.mark.sim
def test_an_arm_of_fewer_triangles_looks_the_same(drawn):
    difference = np.abs(drawn["full"]["photos"].astype(int) - drawn["meshes"]["photos"])
    assert np.mean(difference.max(axis=-1) > 30) < 0.005


@pytest.mark.sim
def test_a_small_frame_is_as_bright_as_a_full_one(drawn):
    # Grains are others where a texture is painted with fewer pixels.
    means = [drawn[name]["photos"].mean(axis=(1, 2)) for name in ("full", "small")]
    assert np.abs(means[0] - means[1]).max() < 5
