"""Arm poses: reaching a point, keeping clear of table and object, closing the jaws on the object.

All kinematic; nothing is simulated. ``trajectory`` and ``scatter`` build their poses from these.
Angles are radians, lengths metres, the table's top is at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from wristseg.synth.look import MountLook, ObjectLook, Solid
from wristseg.synth.scene import JOINTS, Scene

__all__ = [
    "Pose",
    "Reach",
    "camera_on_gripper",
    "close_on_object",
    "finger_clearance",
    "held_pose",
    "is_clear",
    "reach",
    "set_joints",
    "share_in_view",
    "signed_distance",
    "stand_between_jaws",
]

Vector = NDArray[np.float64]
Quat = tuple[float, float, float, float]

#: Air between a finger and the object it holds; below a pixel in the picture.
_TOUCH = 0.0003
_OPEN, _CLOSED = 1.4, -0.15


@dataclass(frozen=True)
class Pose:
    """One instant: joint angles in the order of ``JOINTS``, and the object if it is there."""

    joints: tuple[float, ...]
    object_pos: tuple[float, float, float] | None = None
    object_quat: Quat = (1.0, 0.0, 0.0, 0.0)
    held: bool = False


@dataclass(frozen=True)
class Reach:
    """Where the fingertips should be and how they point.

    Attributes:
        tip: Position of the tip site.
        down: Angle of the fingers below the horizontal; pi/2 points straight down.
        roll: Angle of the wrist's roll joint.
        opening: Angle of the gripper joint.
    """

    tip: tuple[float, float, float]
    down: float
    roll: float
    opening: float


def set_joints(scene: Scene, joints: tuple[float, ...]) -> None:
    """Bring the arm into a pose (positions only)."""
    scene.data.qpos[:] = joints
    mujoco.mj_kinematics(scene.model, scene.data)


def reach(scene: Scene, target: Reach) -> tuple[float, ...] | None:
    """Solve for the joints by Gauss-Newton; None where the arm cannot get there within 1 mm.

    The wrist's flex follows from the wanted direction, since lift, elbow and flex turn about
    parallel axes; pan, lift and elbow are left for the three coordinates of the tip.
    """
    x, y, _ = target.tip
    free = np.array([-np.arctan2(y, x - 0.039), 0.0, 0.0])
    for _ in range(25):
        error = np.asarray(target.tip) - _tip(scene, free, target)
        if np.abs(error).max() < 1e-4:
            break
        step = np.linalg.lstsq(_jacobian(scene, free, target), error, rcond=None)[0]
        free = free + np.clip(step, -0.3, 0.3)
    joints = _joints(free, target)
    ranges = scene.model.jnt_range
    inside = bool(np.all((joints > ranges[:, 0]) & (joints < ranges[:, 1])))
    if not inside or np.abs(np.asarray(target.tip) - _tip(scene, free, target)).max() > 1e-3:
        return None
    return tuple(float(angle) for angle in joints)


def _joints(free: Vector, target: Reach) -> Vector:
    flex = target.down - free[1] - free[2]
    return np.array([*free, flex, target.roll, target.opening])


def _tip(scene: Scene, free: Vector, target: Reach) -> Vector:
    set_joints(scene, tuple(_joints(free, target)))
    return np.array(scene.data.site("gripperframe").xpos)


def _jacobian(scene: Scene, free: Vector, target: Reach, *, step: float = 1e-4) -> Vector:
    here = _tip(scene, free, target)
    columns = [(_tip(scene, free + step * unit, target) - here) / step for unit in np.eye(3)]
    return np.stack(columns, axis=1)


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
    local = (_finger_points(scene, finger) - np.asarray(pose.object_pos)) @ frame.reshape(3, 3)
    return float(min(signed_distance(local, solid).min() for solid in obj.solids))


def _finger_points(scene: Scene, finger: str) -> Vector:
    geom = scene.geom(finger)
    # MuJoCo recentres meshes on their inertia; mesh_pos and mesh_quat lead back to the file's frame.
    mesh, frame = scene.model.geom_dataid[geom], np.empty(9)
    mujoco.mju_quat2Mat(frame, scene.model.mesh_quat[mesh])
    in_geom = (scene.jaw_points[finger] - scene.model.mesh_pos[mesh]) @ frame.reshape(3, 3)
    return np.asarray(
        in_geom @ scene.data.geom_xmat[geom].reshape(3, 3).T + scene.data.geom_xpos[geom]
    )


def is_clear(scene: Scene, obj: ObjectLook, pose: Pose, *, table: bool = True) -> bool:
    """Tell whether no finger is in the table and none in the object."""
    set_joints(scene, pose.joints)
    for finger in ("static_finger", "moving_finger"):
        if table and _finger_points(scene, finger)[:, 2].min() < 0.001:
            return False
        if pose.object_pos is not None and finger_clearance(scene, finger, obj, pose) < 0.0:
            return False
    return True


def stand_between_jaws(
    scene: Scene, joints: tuple[float, ...], obj: ObjectLook, *, slip: float, in_gripper: bool = False
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
        quat = _quat_of(frame)
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


def _quat_of(matrix: Vector) -> Quat:
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, matrix.ravel())
    return (float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3]))


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
    return Pose(joints, (float(x), float(y), float(z)), _quat_of(frame @ local_turn), held=True)


def camera_on_gripper(mount: MountLook) -> tuple[Vector, Vector]:
    """Return a camera's axes, (3, 3) as columns, and its position in the gripper's frame."""
    side = _turn((0.0, 0.0, 1.0), mount.side)
    roll = _turn((0.0, 0.0, 1.0), np.pi + mount.image_roll)
    axes = side @ _turn((1.0, 0.0, 0.0), mount.tilt) @ roll
    return axes, side @ np.array([mount.lateral, -mount.distance, mount.height])


def _turn(axis: tuple[float, float, float], angle: float) -> Vector:
    quat, matrix = np.empty(4), np.empty(9)
    mujoco.mju_axisAngle2Quat(quat, np.asarray(axis), angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


def share_in_view(
    scene: Scene, mount: MountLook, finger: str, *, opening: float, aspect: float = 4 / 3
) -> float:
    """Return which share of a finger's surface lies within the picture, covered or not."""
    set_joints(scene, (0.0, 0.0, 0.0, 0.0, 0.0, opening))
    body = scene.body("gripper")
    gripper = scene.data.xmat[body].reshape(3, 3)
    points = (_finger_points(scene, finger) - scene.data.xpos[body]) @ gripper
    axes, position = camera_on_gripper(mount)
    x, y, z = ((points - position) @ axes).T
    depth = np.maximum(-z, 1e-6)
    half = np.tan(np.radians(mount.fovy_deg) / 2)
    inside = (-z > 0.01) & (np.abs(y) < half * depth) & (np.abs(x) < aspect * half * depth)
    return float(inside.mean())


assert JOINTS[-1] == "gripper"  # poses keep the opening last
