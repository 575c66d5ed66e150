"""Smooth recordings: key poses joined by curves that never overshoot.

Goes out: one ``Pose`` per frame number. ``tour`` only looks about; ``demonstration`` builds on the
same pieces. Called by ``dataset_v0``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import WristsegError
from wristseg.synth.contact import is_clear
from wristseg.synth.look import ObjectLook
from wristseg.synth.poses import Joints, Pose, Quat, Reach, reach
from wristseg.synth.scene import Scene

__all__ = ["TRIES", "Roaming", "impossible", "reachable", "smooth_path", "tour"]

#: Tries before a plan counts as impossible; a few in a hundred succeed at worst.
TRIES = 400


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
    for _ in range(TRIES):
        count = max(3, int(np.ptp(frames) / 35) + 2)
        keys = [reachable(scene, roaming, rng) for _ in range(count)]
        times = np.linspace(frames[0] - 1, frames[-1] + 1, count)
        path = smooth_path(times, np.array(keys), frames.astype(np.float64))
        pos, quat = _lying(obj, roaming, rng) if with_object else (None, (1.0, 0.0, 0.0, 0.0))
        poses = [Pose(tuple(map(float, joints)), pos, quat) for joints in path]
        if all(is_clear(scene, obj, pose) for pose in poses):
            return poses
    raise impossible("tour")


def reachable(scene: Scene, roaming: Roaming, rng: np.random.Generator) -> Joints:
    """Draw targets until the arm can reach one.

    Raises:
        WristsegError: Hardly any target of ``roaming`` can be reached.
    """
    for _ in range(TRIES):
        joints = reach(scene, roaming.sample(rng))
        if joints is not None:
            return joints
    raise impossible("reach")


def _lying(
    obj: ObjectLook, roaming: Roaming, rng: np.random.Generator
) -> tuple[tuple[float, float, float], Quat]:
    """Lay the object on the middle of the table's part that the fingertips roam over."""
    x, y = (
        0.5 * (low + high) + rng.uniform(-0.3, 0.3) * (high - low)
        for low, high in (roaming.x, roaming.y)
    )
    yaw = rng.uniform(-np.pi, np.pi)
    w, z = float(np.cos(yaw / 2)), float(np.sin(yaw / 2))
    return (float(x), float(y), obj.height), (w, 0.0, 0.0, z)


def impossible(what: str) -> WristsegError:
    """Return the error for a plan that found no way."""
    return WristsegError(
        f"no {what} without a collision in {TRIES} tries; try another --seed or a smaller object"
    )
