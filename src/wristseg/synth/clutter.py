"""Things that lie about on the table, out of the arm's and the object's way.

All are labelled ``background``. Called by ``randomised`` and ``dataset_v0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wristseg.synth.look import RGB, ClutterLook, Shape
from wristseg.synth.poses import Pose, set_joints
from wristseg.synth.scene import CLUTTER_SLOTS, Scene
from wristseg.synth.variety import Variety

__all__ = ["draw_clutter", "lay_cable", "tip_xy"]

#: Clearances in metres: of low things around fingertips and object, of tall ones around the arm.
_LOW_CLEARANCE, _TALL_CLEARANCE, _LOW_HEIGHT = 0.055, 0.10, 0.02
_CABLE_RADIUS = 0.003
_SHAPES: tuple[Shape, ...] = ("box", "box", "cylinder", "ellipsoid")


def lay_cable(points_xy: Sequence[tuple[float, float]], *, rgb: RGB) -> tuple[ClutterLook, ...]:
    """Lay a cable along points on the table, as a chain of capsules."""
    links = []
    for (x0, y0), (x1, y1) in pairwise(points_xy):
        length, yaw = float(np.hypot(x1 - x0, y1 - y0)), float(np.arctan2(y1 - y0, x1 - x0))
        # A capsule stands along z: a quarter turn about y lays it down, then yaw turns it.
        lay = float(np.sqrt(0.5))
        c, s = float(np.cos(yaw / 2)), float(np.sin(yaw / 2))
        quat = (lay * c, -lay * s, lay * c, lay * s)
        half_size = (_CABLE_RADIUS, _CABLE_RADIUS, length / 2)
        center = ((x0 + x1) / 2, (y0 + y1) / 2, _CABLE_RADIUS)
        links.append(ClutterLook("capsule", half_size, center, quat, rgb))
    return tuple(links)


def draw_clutter(
    scene: Scene, poses: Sequence[Pose], variety: Variety, rng: np.random.Generator
) -> tuple[ClutterLook, ...]:
    """Draw things around the places that the poses look at, clear of all of them."""
    tips = np.array([tip_xy(scene, pose) for pose in poses])
    objects = [pose.object_pos[:2] for pose in poses if pose.object_pos is not None]
    busy = np.concatenate([tips, np.array(objects).reshape(-1, 2)])
    things: list[ClutterLook] = []
    for _ in range(int(rng.integers(0, variety.clutter + 1))):
        thing = _draw_thing(tips, rng)
        if _is_clear(thing, tips, busy):
            things.append(thing)
    if rng.random() < variety.cable:
        things += _draw_cable(tips, rng)
    return tuple(things[:CLUTTER_SLOTS])


def tip_xy(scene: Scene, pose: Pose) -> NDArray[np.float64]:
    """Return where between the fingertips a pose is, (2,) metres; moves the arm."""
    set_joints(scene, pose.joints)
    return np.array(scene.data.site("gripperframe").xpos[:2])


def _draw_thing(tips: NDArray[np.float64], rng: np.random.Generator) -> ClutterLook:
    shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
    half = rng.uniform(0.008, 0.05, 3)
    if rng.random() < 0.4:  # papers, phones, books
        half = np.array([*rng.uniform(0.03, 0.11, 2), rng.uniform(0.001, 0.01)])
    if shape == "cylinder":
        half[1] = half[0]
    center = tips[rng.integers(len(tips))] + rng.normal(0.0, 0.13, 2)
    yaw = rng.uniform(-np.pi, np.pi)
    rgb = (
        rng.random(3) * rng.uniform(0.2, 1.0) if rng.random() < 0.6 else np.repeat(rng.random(), 3)
    )
    r, g, b = (float(v) for v in rgb)
    return ClutterLook(
        shape=shape,
        half_size=(float(half[0]), float(half[1]), float(half[2])),
        position=(float(center[0]), float(center[1]), float(half[2])),
        quat=(float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))),
        rgb=(r, g, b),
    )


def _is_clear(thing: ClutterLook, tips: NDArray[np.float64], busy: NDArray[np.float64]) -> bool:
    center, reach = np.asarray(thing.position[:2]), float(np.hypot(*thing.half_size[:2]))
    near = np.linalg.norm(busy - center, axis=1).min() - reach
    if near < _LOW_CLEARANCE:
        return False
    if 2 * thing.half_size[2] < _LOW_HEIGHT:
        return True
    # The arm runs above the line from its base, at the origin, to the fingertips.
    along = np.clip(tips @ center / np.maximum((tips**2).sum(axis=1), 1e-9), 0.0, 1.0)
    gap = np.linalg.norm(along[:, None] * tips - center, axis=1).min() - reach
    return bool(gap > _TALL_CLEARANCE)


def _draw_cable(tips: NDArray[np.float64], rng: np.random.Generator) -> tuple[ClutterLook, ...]:
    heading = rng.uniform(-np.pi, np.pi)
    point = tips[0] + 0.09 * np.array([np.cos(heading), np.sin(heading)])
    heading += np.pi / 2 + rng.uniform(-0.4, 0.4)
    points = [point]
    for _ in range(5):
        heading += rng.uniform(-0.5, 0.5)
        points.append(points[-1] + 0.05 * np.array([np.cos(heading), np.sin(heading)]))
    rgb = np.repeat(rng.choice([0.05, 0.9, 0.5]), 3)
    color: RGB = (float(rgb[0]), float(rgb[1]), float(rgb[2]))
    return lay_cable([(float(x), float(y)) for x, y in points], rgb=color)
