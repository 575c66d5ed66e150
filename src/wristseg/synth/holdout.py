"""Preset ``holdout``: frames for measuring, with looks that no training preset contains.

Comes in: a seed. Goes out: ``FramePlan`` lists for ``production``. A model is never trained, tuned
or chosen on these; they tell how it does on what it has not seen. Patterns, colours, objects,
lamps, mounts and sensors lie outside what ``randomised``, ``lifelike`` and ``wild`` draw;
``tests/synth/test_holdout.py`` holds that.

Every recording has a look of its own. Four set-ups of the light take turns and stand in the names:
a low lamp at one side (hard, long shadows of the arm), a warm bulb, a window, a narrow spot.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wristseg.synth.look import RGB
from wristseg.synth.plan import FramePlan, each_burst
from wristseg.synth.randomised import plan_burst
from wristseg.synth.scene import Scene
from wristseg.synth.variety import (
    Choice,
    LightVariety,
    MountVariety,
    ObjectVariety,
    Range,
    SensorVariety,
    Variety,
)

__all__ = ["HOLDOUT_VARIETY", "LIGHT_SETUPS", "plan_holdout"]

#: Part of every seed, so that no burst shares its random numbers with one of ``randomised``.
_SEED_SPACE = 0x686F6C64

_FILAMENTS: Choice[RGB] = Choice(
    (
        ((0.72, 0.73, 0.75), 3),  # silver
        ((0.82, 0.68, 0.48), 2),  # wood-filled
        ((0.40, 0.22, 0.10), 2),  # brown
        ((0.05, 0.10, 0.38), 2),  # navy
        ((0.50, 0.78, 0.98), 2),  # sky blue
        ((0.62, 0.93, 0.75), 2),  # mint
        ((0.75, 0.95, 0.15), 2),  # lime
        ((0.42, 0.45, 0.10), 1),  # olive
        ((0.85, 0.10, 0.55), 1),  # magenta
        ((0.04, 0.36, 0.16), 1),  # dark green
    )
)
_TABLE_COLORS: Choice[RGB] = Choice(
    (
        ((0.92, 0.84, 0.60), 4),  # cream
        ((0.62, 0.76, 0.88), 3),  # pale blue
        ((0.72, 0.66, 0.82), 2),  # lilac
        ((0.80, 0.48, 0.32), 2),  # terracotta
        ((0.62, 0.86, 0.70), 1),  # mint
        ((0.12, 0.52, 0.55), 1),  # petrol
        ((0.78, 0.62, 0.16), 1),  # mustard
        ((0.46, 0.05, 0.20), 1),  # bordeaux
        ((0.92, 0.70, 0.70), 2),  # pale pink
        ((0.60, 0.68, 0.30), 1),  # moss
    )
)

#: Cameras at distances and turned about the gripper as none in training.
_MOUNT = MountVariety(
    side=Choice(((0.38, 1), (-0.38, 1), (np.pi + 0.38, 1), (np.pi - 0.38, 1))),
    side_jitter=Range(-0.09, 0.09),
    image_roll=Choice(((0.0, 6), (np.pi, 1))),
    image_roll_jitter=Range(-0.15, 0.15),
    distance=Range(0.087, 0.100),
    tilt=Range(0.25, 0.75),
    fovy_deg=Range(60.0, 100.0),
    least_finger=0.35,
)

#: Cheaper cameras: a tint that the white balance leaves, sharpened rims, strong compression.
_SENSOR = SensorVariety(
    brightness=Range(0.32, 0.60),
    tint=Range(0.065, 0.09),
    saturation=Range(0.45, 1.0),
    noise=Range(1.0, 5.0),
    sharpen=0.7,
    jpeg_quality=Range(42.0, 60.0),
)

HOLDOUT_VARIETY = Variety(
    burst=5,
    table_kind=Choice(
        (("checker", 1), ("tiles", 2), ("dots", 1), ("basket", 2), ("tartan", 1), ("terrazzo", 2))
    ),
    table_color=_TABLE_COLORS,
    filament=_FILAMENTS,
    color_jitter=0.025,
    obj=ObjectVariety(
        kind=Choice((("checker", 1), ("dots", 1), ("tartan", 1), ("terrazzo", 1))),
        half=Range(0.012, 0.018),
        forms=Choice(
            (
                ("marker", 1),
                ("peanut", 1),
                ("angle", 1),
                ("mushroom", 1),
                ("bottle", 1),
                ("bar", 1),
            )
        ),
        strong_colors=Range(0.2, 0.45),  # pastel and earthen
        weak_colors=Range(0.2, 0.45),
    ),
    mount=_MOUNT,
    sensor=_SENSOR,
)

#: Name of the light in the recordings' names to what it is.
LIGHT_SETUPS: dict[str, LightVariety] = {
    "side": LightVariety(
        count=Choice(((1, 1),)),
        hard=1.0,
        height=Range(0.24, 0.42),
        away=Range(0.80, 1.10),
        strength=Range(0.7, 1.0),
        cutoff_deg=Range(46.0, 58.0),
        ambient=Range(0.20, 0.32),
        headlight=Range(0.0, 0.05),
    ),
    "warm": LightVariety(
        warmth=(0.32, 0.02),
        ambient=Range(0.22, 0.35),
        headlight=Range(0.0, 0.1),
    ),
    "window": LightVariety(
        count=Choice(((1, 1),)),
        hard=0.0,
        height=Range(0.6, 1.0),
        away=Range(0.5, 0.9),
        strength=Range(0.6, 0.9),
        warmth=(-0.10, 0.03),
        cutoff_deg=Range(46.0, 58.0),
        spread=Range(0.21, 0.28),
        samples=6,
        ambient=Range(0.25, 0.45),
    ),
    "spot": LightVariety(
        count=Choice(((1, 1),)),
        hard=1.0,
        height=Range(0.6, 1.0),
        away=Range(0.1, 0.5),
        strength=Range(0.5, 0.8),
        cutoff_deg=Range(16.0, 23.0),
        ambient=Range(0.28, 0.42),
        headlight=Range(0.0, 0.1),
    ),
}


def plan_holdout(
    scene: Scene, *, frames: int, seed: int, burst: int | None = None
) -> list[FramePlan]:
    """Plan frames; each burst (by default the variety's) is a recording of its own.

    The first N of a longer plan with the same seed and burst are the same frames.
    """
    plans: list[FramePlan] = []
    names, burst = tuple(LIGHT_SETUPS), HOLDOUT_VARIETY.burst if burst is None else burst
    for number in each_burst(frames, burst):
        turn, light = divmod(number, len(names))
        variety = replace(HOLDOUT_VARIETY, light=LIGHT_SETUPS[names[light]])
        stems = [f"holdout_{names[light]}{turn:02d}_frame_{i:04d}" for i in range(burst)]
        # Counted from 1: a path that ends with 0 is the same as the shorter one.
        path = (seed, _SEED_SPACE, number + 1)
        plans += plan_burst(scene, variety, stems=stems, seed_path=path)
    return plans[:frames]
