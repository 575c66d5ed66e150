"""Smooth recordings: key poses joined by curves that never overshoot.

Comes in: a plan of a recording. Goes out: one ``Pose`` per frame number. A demonstration hovers,
comes down around the object, closes, lifts, carries, puts down and leaves; a camera recording only
looks about. Called by ``plan``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import WristsegError
from wristseg.synth.look import ObjectLook
from wristseg.synth.poses import (
    Pose,
    Reach,
    close_on_object,
    held_pose,
    is_clear,
    reach,
    set_joints,
    stand_between_jaws,
)
from wristseg.synth.scene import Scene

__all__ = ["Roaming", "demonstration", "smooth_path", "tour"]

Joints = tuple[float, ...]

#: Tries before a plan counts as impossible; a few in a hundred succeed at worst.
_TRIES = 400


@dataclass(frozen=True)
class Roaming:
    """The space that fingertips roam in, as (low, high) ranges (see ``poses.Reach``)."""

    x: tuple[float, float] = (0.19, 0.30)
    y: tuple[float, float] = (-0.12, 0.12)
    z: tuple[float, float] = (0.04, 0.13)
    down: tuple[float, float] = (1.15, 1.75)
    roll: tuple[float, float] = (1.1, 2.0)
    opening: tuple[float, float] = (0.1, 1.0)

    def sample(self, rng: np.random.Generator) -> Reach:
        """Draw a target evenly."""
        x, y, z, down, roll, opening = (
            float(rng.uniform(*bounds))
            for bounds in (self.x, self.y, self.z, self.down, self.roll, self.opening)
        )
        return Reach((x, y, z), down, roll, opening)


def smooth_path(
    times: NDArray[np.float64], keys: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate by monotone cubics (Fritsch and Carlson 1980), so that no joint overshoots.

    >>> smooth_path(np.array([0.0, 1.0, 2.0]), np.array([[0.0], [1.0], [1.0]]), np.array([1.5]))
    array([[1.]])

    Args:
        times: (K,) increasing times of the keys.
        keys: (K, J) joint angles.
        at: (N,) times wanted; before the first key and after the last, the path stands still.

    Returns:
        (N, J) float64.
    """
    width = np.diff(times)[:, None]
    slope = np.diff(keys, axis=0) / width
    tangent = np.zeros_like(keys)
    before, after = slope[:-1], slope[1:]
    same_way = before * after > 0
    weight_a, weight_b = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = (weight_a + weight_b) / (weight_a / before + weight_b / after)
    tangent[1:-1] = np.where(same_way, harmonic, 0.0)  # at rest at turning points and at the ends
    at = np.clip(at, times[0], times[-1])
    i = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(width) - 1)
    h = width[i]
    t = (at[:, None] - times[i][:, None]) / h
    return np.asarray(
        (1 + 2 * t) * (1 - t) ** 2 * keys[i]
        + t * (1 - t) ** 2 * h * tangent[i]
        + t**2 * (3 - 2 * t) * keys[i + 1]
        + t**2 * (t - 1) * h * tangent[i + 1]
    )


def tour(
    scene: Scene,
    obj: ObjectLook,
    *,
    frames: NDArray[np.int64],
    roaming: Roaming,
    with_object: bool,
    rng: np.random.Generator,
) -> list[Pose]:
    """Look about: a key pose every second or so, the object lying still or nowhere.

    Args:
        scene: The scene; its arm is moved.
        obj: The object.
        frames: (N,) increasing frame numbers wanted, at 30 a second.
        roaming: Where the fingertips go.
        with_object: Whether the object lies on the table.
        rng: Source of chance.

    Returns:
        One pose per frame number.
    """
    for _ in range(_TRIES):
        count = max(3, int(np.ptp(frames) / 35) + 2)
        keys = [_reachable(scene, roaming, rng) for _ in range(count)]
        times = np.linspace(frames[0] - 1, frames[-1] + 1, count)
        path = smooth_path(times, np.array(keys), frames.astype(np.float64))
        pos, quat = _lying(obj, roaming, rng) if with_object else (None, (1.0, 0.0, 0.0, 0.0))
        poses = [Pose(tuple(map(float, joints)), pos, quat) for joints in path]
        if all(is_clear(scene, obj, pose) for pose in poses):
            return poses
    raise _impossible("tour")


def _reachable(scene: Scene, roaming: Roaming, rng: np.random.Generator) -> Joints:
    for _ in range(_TRIES):
        joints = reach(scene, roaming.sample(rng))
        if joints is not None:
            return joints
    raise _impossible("reach")


def _lying(
    obj: ObjectLook, roaming: Roaming, rng: np.random.Generator
) -> tuple[tuple[float, float, float], tuple[float, float, float, float]]:
    """Lay the object on the middle of the table's part that the fingertips roam over."""
    x, y = (
        0.5 * (low + high) + rng.uniform(-0.3, 0.3) * (high - low)
        for low, high in (roaming.x, roaming.y)
    )
    yaw = rng.uniform(-np.pi, np.pi)
    return (float(x), float(y), obj.height), (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))


def demonstration(
    scene: Scene,
    obj: ObjectLook,
    *,
    frames: NDArray[np.int64],
    held: slice,
    roaming: Roaming,
    rng: np.random.Generator,
) -> list[Pose]:
    """Pick the object up and put it down elsewhere.

    Args:
        scene: The scene; its arm is moved.
        obj: The object.
        frames: (N,) increasing frame numbers wanted.
        held: Which of them show the object between closed jaws.
        roaming: Where the fingertips go before and after.
        rng: Source of chance.

    Returns:
        One pose per frame number; exactly those of ``held`` are marked as held.
    """
    for _ in range(_TRIES):
        grasp = _grasp(scene, obj, roaming, rng)
        poses = None if grasp is None else _act(scene, obj, grasp, frames, held, roaming, rng)
        if poses is not None:
            return poses
    raise _impossible("demonstration")


def _grasp(
    scene: Scene, obj: ObjectLook, roaming: Roaming, rng: np.random.Generator
) -> Pose | None:
    """Find a pose in which the closed jaws hold the object as it stands on the table."""
    target = roaming.sample(rng)
    tip_z = float(rng.uniform(0.010, 0.016))
    x, y, _ = target.tip
    joints = reach(scene, Reach((x, y, tip_z), target.down, target.roll, 0.8))
    if joints is None:
        return None
    standing = stand_between_jaws(scene, joints, obj, slip=float(rng.uniform(-0.006, 0.001)))
    grasp = close_on_object(scene, obj, standing)
    return grasp if grasp is not None and is_clear(scene, obj, grasp) else None


def _act(
    scene: Scene,
    obj: ObjectLook,
    grasp: Pose,
    frames: NDArray[np.int64],
    held: slice,
    roaming: Roaming,
    rng: np.random.Generator,
) -> list[Pose] | None:
    """Lay the key poses around the held frames; None if a finger hits something on the way."""
    number = frames.astype(np.float64)
    closed = 0.5 * (number[held.start - 1] + number[held.start])
    opened = 0.5 * (number[held.stop - 1] + number[held.stop])
    moved = _moved(scene, grasp, rng)
    above, above_moved = _raised(scene, grasp, rng), _raised(scene, moved, rng) if moved else None
    if moved is None or above is None or above_moved is None:
        return None
    wide = float(rng.uniform(0.25, 0.5))
    approach = [
        (closed - 58, _open(above, wide)),
        (closed - 22, _open(grasp.joints, wide)),
        (closed - 14, _open(grasp.joints, wide)),
    ]
    carry = [(closed, grasp.joints), (closed + 0.3 * (opened - closed), above)]
    carry += [(closed + 0.7 * (opened - closed), above_moved), (opened, moved)]
    leave = [
        (opened + 12, _open(moved, wide)),
        (opened + 20, _open(moved, wide)),
        (opened + 50, _open(above_moved, wide)),
    ]
    start = _wander(scene, roaming, number[0] - 1, closed - 95, rng)
    end = _wander(scene, roaming, opened + 85, number[-1] + 1, rng)
    keys = [*start, *approach, *carry, *leave, *end]
    path = smooth_path(np.array([t for t, _ in keys]), np.array([q for _, q in keys]), number)
    return _with_object(scene, obj, grasp, moved, path, held)


def _open(joints: Joints, wide: float) -> Joints:
    return (*joints[:5], joints[5] + wide)


def _raised(scene: Scene, low: Pose | Joints, rng: np.random.Generator) -> Joints | None:
    """The same grip 4-8 cm higher."""
    joints = low.joints if isinstance(low, Pose) else low
    return _shifted(scene, joints, np.array([0.0, 0.0, rng.uniform(0.04, 0.08)]))


def _moved(scene: Scene, grasp: Pose, rng: np.random.Generator) -> Joints | None:
    """The same grip elsewhere on the table."""
    return _shifted(scene, grasp.joints, np.array([*rng.uniform(-0.05, 0.05, 2), 0.0]))


def _shifted(scene: Scene, joints: Joints, offset: NDArray[np.float64]) -> Joints | None:
    set_joints(scene, joints)
    x, y, z = scene.data.site("gripperframe").xpos + offset
    down = joints[1] + joints[2] + joints[3]
    return reach(scene, Reach((float(x), float(y), float(z)), down, joints[4], joints[5]))


def _wander(
    scene: Scene, roaming: Roaming, start: float, stop: float, rng: np.random.Generator
) -> list[tuple[float, Joints]]:
    if stop <= start:  # a short recording begins or ends at the object
        return []
    count = max(2, int((stop - start) / 40) + 1)
    return [
        (float(t), _reachable(scene, roaming, rng)) for t in np.linspace(start, stop, count)
    ]


def _with_object(
    scene: Scene,
    obj: ObjectLook,
    grasp: Pose,
    moved: Joints,
    path: NDArray[np.float64],
    held: slice,
) -> list[Pose] | None:
    put_down = held_pose(scene, grasp, moved)
    assert put_down.object_pos is not None
    x, y, _ = put_down.object_pos
    w, _, _, qz = put_down.object_quat
    level = float(np.hypot(w, qz))
    resting = ((x, y, obj.height), (w / level, 0.0, 0.0, qz / level))
    poses = []
    for i, joints in enumerate(path):
        angles = tuple(map(float, joints))
        if held.start <= i < held.stop:
            pose = held_pose(scene, grasp, angles)
        elif i < held.start:
            pose = Pose(angles, grasp.object_pos, grasp.object_quat)
        else:
            pose = Pose(angles, *resting)
        if not is_clear(scene, obj, pose):
            return None
        poses.append(pose)
    return poses


def _impossible(what: str) -> WristsegError:
    return WristsegError(
        f"no {what} without a collision in {_TRIES} tries; try another --seed or a smaller object"
    )
