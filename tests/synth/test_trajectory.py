"""Recordings move smoothly, hold the object when they say so, and run through nothing."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from wristseg.synth.contact import (
    close_on_object,
    finger_clearance,
    held_pose,
    is_clear,
    signed_distance,
    stand_between_jaws,
)
from wristseg.synth.demonstration import demonstration
from wristseg.synth.finray import PARALLEL_OPENING
from wristseg.synth.look import MountLook, ObjectLook, Solid, SurfaceLook
from wristseg.synth.poses import Reach, reach, set_joints, share_in_view
from wristseg.synth.scene import Group, Scene
from wristseg.synth.trajectory import Roaming, smooth_path, tour

_PLAIN = SurfaceLook("plain", (1, 1, 1), (1, 1, 1))
_CUBE = ObjectLook((Solid("box", (0.0125,) * 3),), ((0.8, 0.1, 0.1),), _PLAIN)
_FRAMES = np.arange(12, 260, 7)


@pytest.fixture(scope="module")
def scene():
    return Scene.build()


def _grasp(scene):
    joints = reach(scene, Reach((0.24, 0.02, 0.013), 1.1, 1.5, 0.8))
    return close_on_object(scene, _CUBE, stand_between_jaws(scene, joints, _CUBE, slip=0.0))


def test_path_goes_through_its_keys_and_never_beyond_them():
    times, keys = np.array([0.0, 3.0, 4.0, 9.0]), np.array([[0.0], [1.0], [1.0], [-2.0]])
    assert np.allclose(smooth_path(times, keys, times), keys)
    fine = smooth_path(times, keys, np.linspace(0, 9, 500))
    assert fine.max() <= 1.0 + 1e-12
    assert fine.min() >= -2.0 - 1e-12


def test_path_stands_still_before_and_after_its_keys():
    times, keys = np.array([0.0, 1.0, 2.0]), np.array([[0.0], [1.0], [5.0]])
    assert smooth_path(times, keys, np.array([-3.0, 7.0])).tolist() == [[0.0], [5.0]]


def test_reach_puts_the_tip_where_it_was_asked(scene):
    joints = reach(scene, Reach((0.25, -0.06, 0.05), 1.2, 1.4, 0.5))
    set_joints(scene, joints)
    assert np.allclose(scene.data.site("gripperframe").xpos, (0.25, -0.06, 0.05), atol=1e-3)
    down = -scene.data.xmat[scene.body("gripper")].reshape(3, 3)[:, 2]
    assert np.arcsin(-down[2]) == pytest.approx(1.2, abs=0.01)


def test_reach_beyond_the_arm_is_none(scene):
    assert reach(scene, Reach((0.8, 0.0, 0.1), 1.2, 1.4, 0.5)) is None


@pytest.mark.parametrize(
    ("shape", "expected"), [("box", 1.0), ("cylinder", 1.0), ("ellipsoid", 1.0)]
)
def test_distance_from_a_solid_is_exact_along_its_axes(shape, expected):
    solid = Solid(shape, (2.0, 2.0, 2.0))
    points = np.array([[3.0, 0, 0], [0, 0, 3.0], [0, 0, 1.0]])
    assert signed_distance(points, solid).tolist() == pytest.approx([expected, expected, -1.0])


def test_closed_jaws_touch_the_cube_and_do_not_enter_it(scene):
    grasp = _grasp(scene)
    set_joints(scene, grasp.joints)
    for finger in ("static_finger", "moving_finger"):
        assert 0.0 <= finger_clearance(scene, finger, _CUBE, grasp) < 0.001


def test_carried_cube_keeps_its_place_between_the_jaws(scene):
    grasp = _grasp(scene)
    lifted = held_pose(scene, grasp, (*grasp.joints[:1], grasp.joints[1] - 0.3, *grasp.joints[2:]))
    assert lifted.object_pos[2] > grasp.object_pos[2] + 0.02
    assert is_clear(scene, _CUBE, lifted)
    set_joints(scene, lifted.joints)
    assert finger_clearance(scene, "static_finger", _CUBE, lifted) < 0.001


def test_cube_in_a_finger_is_not_clear(scene):
    grasp = _grasp(scene)
    inside = type(grasp)((*grasp.joints[:5], -0.1), grasp.object_pos, grasp.object_quat)
    assert not is_clear(scene, _CUBE, inside)


def test_demonstration_holds_exactly_the_frames_it_was_asked_to(scene):
    rng = np.random.default_rng(1)
    roaming = Roaming(down=(0.9, 1.2), roll=(1.3, 1.9))
    poses = demonstration(
        scene, _CUBE, frames=_FRAMES, held=slice(15, 21), roaming=roaming, rng=rng
    )
    assert [i for i, pose in enumerate(poses) if pose.held] == list(range(15, 21))
    assert all(is_clear(scene, _CUBE, pose) for pose in poses)
    # The cube rests on the table before and after, and leaves it in between.
    assert {poses[i].object_pos[2] for i in (0, 14, 21, -1)} == {0.0125}
    assert max(pose.object_pos[2] for pose in poses) > 0.03


def test_tour_moves_smoothly_and_clear_of_the_cube(scene):
    frames = np.arange(10, 130)
    rng = np.random.default_rng(2)
    poses = tour(scene, _CUBE, frames=frames, roaming=Roaming(), with_object=True, rng=rng)
    steps = np.diff([pose.joints for pose in poses], axis=0)
    assert np.abs(steps).max() < 0.15  # rad per frame
    assert np.abs(np.diff(steps, axis=0)).max() < 0.02
    assert len({pose.object_pos for pose in poses}) == 1


def test_measured_mount_shows_both_fingers_and_its_back_shows_none(scene):
    for finger in ("static_finger", "moving_finger"):
        assert share_in_view(scene, MountLook(), finger, opening=0.4) > 0.2
        assert share_in_view(scene, MountLook(tilt=np.pi), finger, opening=0.4) == 0.0


def test_soft_fingers_replace_the_jaws_and_keep_their_labels():
    scene = Scene.build()
    scene.fit_fingers(soft=True)
    grasp = _grasp(scene)
    set_joints(scene, grasp.joints)
    for finger in ("static_finger", "moving_finger"):
        assert 0.0 <= finger_clearance(scene, finger, _CUBE, grasp) < 0.001
        assert scene.model.geom_group[scene.geom(finger)] == Group.HIDDEN
    assert scene.class_of_geom[scene.geom("static_ray_0")] == 4
    assert scene.class_of_geom[scene.geom("moving_ray_0")] == 5
    # Parallel at the angle the arm's file names, and one like the other in the mirror.
    set_joints(scene, (0.0, 0.0, 0.0, 0.0, 0.0, PARALLEL_OPENING))
    inner = [scene.data.geom_xmat[scene.geom(f"{name}_ray_0")] for name in ("static", "moving")]
    assert np.allclose(inner[0], inner[1], atol=1e-6)


def test_fixed_jaw_is_labelled_apart_from_the_motor_cage(scene):
    assert scene.class_of_geom[scene.geom("static_finger")] == 4
    assert scene.class_of_geom[scene.geom("cage")] == 1
    assert scene.class_of_geom[scene.geom("moving_finger")] == 5
    assert mujoco.mj_id2name(scene.model, mujoco.mjtObj.mjOBJ_GEOM, scene.geom("table")) == "table"
