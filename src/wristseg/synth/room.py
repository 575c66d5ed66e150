"""A room around the table: a floor, furniture, things that hang in the lamps' light.

Comes in: a look and ``variety.RoomVariety``. Goes out: the look with the room. Called by
``randomised``. All of it is labelled ``background``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wristseg.synth.clutter import tip_xy
from wristseg.synth.look import RGB, ClutterLook, Look, Shape, SurfaceLook
from wristseg.synth.poses import Pose
from wristseg.synth.scene import CLUTTER_SLOTS, Scene
from wristseg.synth.variety import RoomVariety

__all__ = ["furnish"]

_SHAPES: tuple[Shape, ...] = ("box", "box", "cylinder", "ellipsoid")
#: Height of what hangs: above the camera at its highest, metres.
_HANGING_Z = (0.40, 0.62)


def furnish(
    look: Look,
    variety: RoomVariety,
    *,
    scene: Scene,
    poses: Sequence[Pose],
    rng: np.random.Generator,
) -> Look:
    """Draw a room around a look.

    Args:
        look: The look so far.
        variety: What to draw from.
        scene: The scene; its arm is moved.
        poses: Of the frames that share the look.
        rng: Source of chance.

    Returns:
        The look in that room. Of what lies on the table the last things, links of a cable first,
        make place where the scene has no more slots.
    """
    floor_z, far_x = variety.floor_z.draw(rng), variety.far_x.draw(rng)
    near_x = look.table.center_xy[0] - look.table.half_size_xy[0]
    table = replace(
        look.table,
        center_xy=((far_x + near_x) / 2, look.table.center_xy[1]),
        half_size_xy=((far_x - near_x) / 2, look.table.half_size_xy[1]),
        yaw=variety.yaw.draw(rng),
    )
    pieces = int(rng.integers(0, variety.furniture + 1))
    hanging = int(rng.integers(0, variety.hanging + 1))
    around = [_draw_piece(look.wall_distance, floor_z, rng) for _ in range(pieces)]
    tips = [tip_xy(scene, pose) for pose in poses]
    around += [_hang(tips[rng.integers(len(tips))], rng) for _ in range(hanging)]
    kept = look.clutter[: CLUTTER_SLOTS - len(around)]
    surface = SurfaceLook(
        kind=variety.clutter_kind.draw(rng),
        base_rgb=(1.0, 1.0, 1.0),
        other_rgb=_draw_rgb(rng),
        contrast=float(rng.uniform(0.0, 0.9)),
        tile_m=float(_scattered(0.03, 0.6, count=1, rng=rng)[0]),
        seed=int(rng.integers(2**31)),
        specular=float(rng.uniform(0.0, 0.6)),
    )
    return replace(
        look, table=table, clutter=(*kept, *around), clutter_surface=surface, floor_z=floor_z
    )


def _draw_piece(wall: float, floor_z: float, rng: np.random.Generator) -> ClutterLook:
    """Draw a piece of furniture: it stands on the floor, and its top is no second table."""
    half = _scattered(0.03, 0.25, count=3, rng=rng)
    turn, away = rng.uniform(-np.pi, np.pi), rng.uniform(0.45, max(0.5, wall))
    x, y = 0.25 + away * np.cos(turn), away * np.sin(turn)
    return _thing((x, y, floor_z + half[2]), half, rng)


def _hang(tip: NDArray[np.float64], rng: np.random.Generator) -> ClutterLook:
    """Hang a bar, board or ball above the place that the camera looks at."""
    half = _scattered(0.008, 0.12, count=3, rng=rng)
    turn, away = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, 0.35)
    x, y = tip + away * np.array([np.cos(turn), np.sin(turn)])
    return _thing((x, y, rng.uniform(*_HANGING_Z)), half, rng)


def _thing(
    position: tuple[float, float, float], half: NDArray[np.float64], rng: np.random.Generator
) -> ClutterLook:
    shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
    yaw = rng.uniform(-np.pi, np.pi)
    x, y, z = (float(value) for value in position)
    a, b, c = (float(value) for value in half)
    return ClutterLook(
        shape=shape,
        half_size=(a, a if shape == "cylinder" else b, c),
        position=(x, y, z),
        quat=(float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))),
        rgb=_draw_rgb(rng),
    )


def _scattered(
    low: float, high: float, *, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw values evenly in their logarithms."""
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def _draw_rgb(rng: np.random.Generator) -> RGB:
    """Draw a grey as often as a colour."""
    rgb = rng.random(3) if rng.random() < 0.5 else np.repeat(rng.random(), 3)
    r, g, b = (float(value) for value in rgb)
    return r, g, b
