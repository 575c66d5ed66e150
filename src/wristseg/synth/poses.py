"""Arm poses: joints, reaching a point, where the fingers are and what the camera sees of them.

All kinematic; nothing is simulated. ``contact`` puts an object into poses, ``trajectory`` and
``randomised`` string them together.
Angles are radians, lengths metres, the table's top is at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from wristseg.synth.look import MountLook
from wristseg.synth.scene import JOINTS, Scene

__all__ = [
    "Joints",
    "Pose",
    "Quat",
    "Reach",
    "Vector",
    "camera_on_gripper",
    "finger_points",
    "quat_of",
    "reach",
    "set_joints",
    "share_in_view",
]

Vector = NDArray[np.float64]
Quat = tuple[float, float, float, float]
Joints = tuple[float, ...]


@dataclass(frozen=True)
class Pose:
    """One instant: joint angles in the order of ``JOINTS``, and the object if it is there."""

    joints: Joints
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


def set_joints(scene: Scene, joints: Joints) -> None:
    """Bring the arm into a pose (positions only)."""
    scene.data.qpos[:] = joints
    mujoco.mj_kinematics(scene.model, scene.data)


def reach(scene: Scene, target: Reach) -> Joints | None:
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


def finger_points(scene: Scene, finger: str) -> Vector:
    """Return points on a finger's surface in the world, (N, 3), for the pose the arm is in."""
    if scene.soft_fingers:
        body = scene.model.geom_bodyid[scene.geom(finger)]
        frame = scene.data.xmat[body].reshape(3, 3)
        return np.asarray(scene.ray_points[finger] @ frame.T + scene.data.xpos[body])
    geom = scene.geom(finger)
    # MuJoCo recentres meshes on their inertia; mesh_pos and mesh_quat lead back to the file.
    mesh, frame = scene.model.geom_dataid[geom], np.empty(9)
    mujoco.mju_quat2Mat(frame, scene.model.mesh_quat[mesh])
    in_geom = (scene.jaw_points[finger] - scene.model.mesh_pos[mesh]) @ frame.reshape(3, 3)
    return np.asarray(
        in_geom @ scene.data.geom_xmat[geom].reshape(3, 3).T + scene.data.geom_xpos[geom]
    )


def quat_of(matrix: Vector) -> Quat:
    """Return the quaternion (w, x, y, z) of a rotation matrix."""
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, matrix.ravel())
    return (float(quat[0]), float(quat[1]), float(quat[2]), float(quat[3]))


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
    points = (finger_points(scene, finger) - scene.data.xpos[body]) @ gripper
    axes, position = camera_on_gripper(mount)
    x, y, z = ((points - position) @ axes).T
    depth = np.maximum(-z, 1e-6)
    half = np.tan(np.radians(mount.fovy_deg) / 2)
    inside = (-z > 0.01) & (np.abs(y) < half * depth) & (np.abs(x) < aspect * half * depth)
    return float(inside.mean())


assert JOINTS[-1] == "gripper"  # poses keep the opening last
