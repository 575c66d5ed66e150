"""Fingers and object: distances, collisions, standing between the jaws, being held and carried.

Comes in: poses of the arm. Goes out: poses with an object. Touches are tested on points of the
jaws' surfaces against the solids of the object. Called by ``demonstration`` and ``randomised``.
"""

from __future__ import annotations

import mujoco
import numpy as np

from wristseg.synth.look import ObjectLook, Solid
from wristseg.synth.poses import Pose, Vector, finger_points, quat_of, set_joints
from wristseg.synth.scene import Scene

__all__ = [
    "close_on_object",
    "finger_clearance",
    "held_pose",
    "is_clear",
    "signed_distance",
    "stand_between_jaws",
]

#: Air between a finger and the object it holds; below a pixel in the picture.
_TOUCH = 0.0003
#: Gripper angles between which the jaws close on an object.
_OPEN, _CLOSED = 1.4, -0.15


def signed_distance(points: Vector, solid: Solid) -> Vector:
    """Distance of points from a solid's surface, negative inside.

    >>> cube = Solid("box", (1.0, 1.0, 1.0))
    >>> signed_distance(np.array([[0.0, 0.0, 3.0], [0.0, 0.0, 0.5]]), cube).tolist()
    [2.0, -0.5]

    Args:
        points: (N, 3), in the object's frame.
        solid: The solid; a capsule counts as the cylinder around it, an ellipsoid's distance is a
            first-order estimate.

    Returns:
        (N,) float64.
    """
    local, half = points - np.asarray(solid.offset), np.asarray(solid.half_size)
    if solid.shape == "ellipsoid":
        near, slope = np.linalg.norm(local / half, axis=1), np.linalg.norm(local / half**2, axis=1)
        return np.asarray(near * (near - 1.0) / np.maximum(slope, 1e-9))
    if solid.shape == "box":
        gap = np.abs(local) - half
    else:
        radial = np.linalg.norm(local[:, :2], axis=1) - half[0]
        gap = np.stack([radial, np.abs(local[:, 2]) - half[2]], axis=1)
    outside = np.linalg.norm(np.maximum(gap, 0.0), axis=1)
    return np.asarray(outside + np.minimum(gap.max(axis=1), 0.0))


def finger_clearance(scene: Scene, finger: str, obj: ObjectLook, pose: Pose) -> float:
    """Return the gap between one finger and the object; negative where they overlap.

    The scene's arm must be in the pose already (``set_joints``).
    """
    assert pose.object_pos is not None
    frame = np.empty(9)
    mujoco.mju_quat2Mat(frame, np.asarray(pose.object_quat))
    local = (finger_points(scene, finger) - np.asarray(pose.object_pos)) @ frame.reshape(3, 3)
    return float(min(signed_distance(local, solid).min() for solid in obj.solids))


def is_clear(scene: Scene, obj: ObjectLook, pose: Pose, *, table: bool = True) -> bool:
    """Tell whether no finger is in the table and none in the object."""
    set_joints(scene, pose.joints)
    for finger in ("static_finger", "moving_finger"):
        if table and finger_points(scene, finger)[:, 2].min() < 0.001:
            return False
        if pose.object_pos is not None and finger_clearance(scene, finger, obj, pose) < 0.0:
            return False
    return True


def stand_between_jaws(
    scene: Scene,
    joints: tuple[float, ...],
    obj: ObjectLook,
    *,
    slip: float,
    in_gripper: bool = False,
) -> Pose:
    """Stand the object where the fixed jaw just touches it.

    Args:
        scene: The scene; its arm is moved.
        joints: Pose of the arm around the object.
        obj: The object.
        slip: Offset of the object along the jaws' width, metres.
        in_gripper: Place it upright in the gripper's frame, away from any table, instead of flat
            on the table.

    Returns:
        The pose with the object, not held.
    """
    set_joints(scene, joints)
    frame = scene.data.xmat[scene.body("gripper")].reshape(3, 3)
    tip = np.array(scene.data.site("gripperframe").xpos)
    closing, width = frame[:, 0], frame[:, 1]
    height = tip[2] if in_gripper else obj.height
    yaw = float(np.arctan2(closing[1], closing[0]))
    quat = (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))
    if in_gripper:
        quat = quat_of(frame)
        tip = tip + 0.006 * frame[:, 2]  # a fingertip's depth between the jaws
    flat = closing if in_gripper else np.array([np.cos(yaw), np.sin(yaw), 0.0])

    def at(shift: float) -> Pose:
        center = tip + shift * flat + slip * width
        if not in_gripper:
            center[2] = height
        return Pose(joints, (float(center[0]), float(center[1]), float(center[2])), quat)

    near, far = 0.0, 0.08  # metres along the closing direction: inside the jaw, well clear of it
    for _ in range(24):
        middle = 0.5 * (near + far)
        touching = finger_clearance(scene, "static_finger", obj, at(middle)) < _TOUCH
        near, far = (middle, far) if touching else (near, middle)
    return at(far)


def close_on_object(scene: Scene, obj: ObjectLook, pose: Pose) -> Pose | None:
    """Close the moving jaw until it touches; None if it cannot, or closes without touching."""

    def gap(opening: float) -> float:
        set_joints(scene, (*pose.joints[:5], opening))
        return finger_clearance(scene, "moving_finger", obj, pose)

    openings = np.linspace(_OPEN, _CLOSED, 32)
    gaps = [gap(float(opening)) for opening in openings]
    first = next((i for i, value in enumerate(gaps) if value < _TOUCH), None)
    if first is None or first == 0:
        return None
    wide, tight = float(openings[first - 1]), float(openings[first])
    for _ in range(16):
        middle = 0.5 * (wide + tight)
        wide, tight = (middle, tight) if gap(middle) >= _TOUCH else (wide, middle)
    return Pose((*pose.joints[:5], wide), pose.object_pos, pose.object_quat, held=True)


def held_pose(scene: Scene, grasp: Pose, joints: tuple[float, ...]) -> Pose:
    """Carry the object: keep its place in the gripper of ``grasp`` while the arm moves."""
    assert grasp.object_pos is not None
    set_joints(scene, grasp.joints)
    body = scene.body("gripper")
    frame, origin = scene.data.xmat[body].reshape(3, 3).copy(), scene.data.xpos[body].copy()
    turn = np.empty(9)
    mujoco.mju_quat2Mat(turn, np.asarray(grasp.object_quat))
    local_pos = frame.T @ (np.asarray(grasp.object_pos) - origin)
    local_turn = frame.T @ turn.reshape(3, 3)
    set_joints(scene, joints)
    frame, origin = scene.data.xmat[body].reshape(3, 3), scene.data.xpos[body]
    x, y, z = origin + frame @ local_pos
    return Pose(joints, (float(x), float(y), float(z)), quat_of(frame @ local_turn), held=True)
