"""A demonstration: hover, come down around the object, close, lift, carry, put down, leave.

Comes in: the frame numbers wanted, and which of them show the object held. Goes out: one ``Pose``
per frame number, checked for collisions. Called by ``dataset_v0``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.synth.contact import close_on_object, held_pose, is_clear, stand_between_jaws
from wristseg.synth.look import ObjectLook
from wristseg.synth.poses import Joints, Pose, Reach, reach, set_joints
from wristseg.synth.scene import Scene
from wristseg.synth.trajectory import TRIES, Roaming, impossible, reachable, smooth_path

__all__ = ["demonstration"]

_Keys = list[tuple[float, Joints]]

#: Frame numbers, at 30 a second, from a key pose to the moment the jaws close or open.
_ABOVE, _AROUND, _WAITING = 58, 22, 14
_LETTING_GO, _STILL_AROUND, _LEFT = 12, 20, 50
#: The arm wanders about until this long before it closes, and from this long after it has opened.
_WANDER_BEFORE, _WANDER_AFTER = 95, 85


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

    Raises:
        WristsegError: No way without a collision was found.
    """
    script = _Script(scene, obj, frames.astype(np.float64), held, roaming, rng)
    for _ in range(TRIES):
        grasp = script.draw_grasp()
        poses = None if grasp is None else script.act(grasp)
        if poses is not None:
            return poses
    raise impossible("demonstration")


@dataclass(frozen=True)
class _Script:
    """One attempt after the other at the same demonstration; see ``demonstration``."""

    scene: Scene
    obj: ObjectLook
    frames: NDArray[np.float64]
    held: slice
    roaming: Roaming
    rng: np.random.Generator

    def draw_grasp(self) -> Pose | None:
        """Draw a pose in which the closed jaws hold the object as it stands on the table."""
        target = self.roaming.sample(self.rng)
        x, y, _ = target.tip
        tip_z = float(self.rng.uniform(0.010, 0.016))
        joints = reach(self.scene, Reach((x, y, tip_z), target.down, target.roll, 0.8))
        if joints is None:
            return None
        # Rather nearer to the camera: there the object shows in front of the fingers.
        slip = float(self.rng.uniform(-0.006, 0.001))
        standing = stand_between_jaws(self.scene, joints, self.obj, slip=slip)
        grasp = close_on_object(self.scene, self.obj, standing)
        return grasp if grasp is not None and is_clear(self.scene, self.obj, grasp) else None

    def act(self, grasp: Pose) -> list[Pose] | None:
        """Play the demonstration around a grasp; None if a finger hits something on the way."""
        put_down = self._shifted(grasp.joints, (*self.rng.uniform(-0.05, 0.05, 2), 0.0))
        above = self._raised(grasp.joints)
        above_put_down = None if put_down is None else self._raised(put_down)
        if put_down is None or above is None or above_put_down is None:
            return None
        keys = self._keys((above, grasp.joints), (above_put_down, put_down))
        path = smooth_path(
            np.array([t for t, _ in keys]), np.array([q for _, q in keys]), self.frames
        )
        return self._with_object(grasp, put_down, path)

    def _keys(self, pick: tuple[Joints, Joints], place: tuple[Joints, Joints]) -> _Keys:
        """Lay the key poses (above, down) of picking and placing around the held frames."""
        number, held = self.frames, self.held
        closed = float(number[held.start - 1] + number[held.start]) / 2
        opened = float(number[held.stop - 1] + number[held.stop]) / 2
        wide = float(self.rng.uniform(0.25, 0.5))
        approach = [
            (closed - _ABOVE, _opened(pick[0], wide)),
            (closed - _AROUND, _opened(pick[1], wide)),
            (closed - _WAITING, _opened(pick[1], wide)),
        ]
        carry = [
            (closed, pick[1]),
            (closed + 0.3 * (opened - closed), pick[0]),
            (closed + 0.7 * (opened - closed), place[0]),
            (opened, place[1]),
        ]
        leave = [
            (opened + _LETTING_GO, _opened(place[1], wide)),
            (opened + _STILL_AROUND, _opened(place[1], wide)),
            (opened + _LEFT, _opened(place[0], wide)),
        ]
        before = self._wander(number[0] - 1, closed - _WANDER_BEFORE)
        after = self._wander(opened + _WANDER_AFTER, number[-1] + 1)
        return [*before, *approach, *carry, *leave, *after]

    def _wander(self, start: float, stop: float) -> _Keys:
        if stop <= start:  # a short recording begins or ends at the object
            return []
        times = np.linspace(start, stop, max(2, int((stop - start) / 40) + 1))
        return [(float(t), reachable(self.scene, self.roaming, self.rng)) for t in times]

    def _raised(self, joints: Joints) -> Joints | None:
        return self._shifted(joints, (0.0, 0.0, self.rng.uniform(0.04, 0.08)))

    def _shifted(self, joints: Joints, offset: tuple[float, ...]) -> Joints | None:
        """The same grip elsewhere."""
        set_joints(self.scene, joints)
        x, y, z = self.scene.data.site("gripperframe").xpos + np.asarray(offset)
        down = joints[1] + joints[2] + joints[3]
        tip = (float(x), float(y), float(z))
        return reach(self.scene, Reach(tip, down, joints[4], joints[5]))

    def _with_object(
        self, grasp: Pose, put_down: Joints, path: NDArray[np.float64]
    ) -> list[Pose] | None:
        """Let the object stand, ride in the jaws, and stand again."""
        rests = _resting(held_pose(self.scene, grasp, put_down), height=self.obj.height)
        poses = []
        for i, row in enumerate(path):
            joints = tuple(map(float, row))
            if self.held.start <= i < self.held.stop:
                pose = held_pose(self.scene, grasp, joints)
            else:
                still = grasp if i < self.held.start else rests
                pose = Pose(joints, still.object_pos, still.object_quat)
            if not is_clear(self.scene, self.obj, pose):
                return None
            poses.append(pose)
        return poses


def _opened(joints: Joints, wide: float) -> Joints:
    return (*joints[:5], joints[5] + wide)


def _resting(pose: Pose, *, height: float) -> Pose:
    """Set the object flat on the table, as it settles when the jaws let go."""
    assert pose.object_pos is not None
    x, y, _ = pose.object_pos
    w, _, _, z = pose.object_quat
    level = float(np.hypot(w, z))
    return Pose(pose.joints, (x, y, height), (w / level, 0.0, 0.0, z / level))
