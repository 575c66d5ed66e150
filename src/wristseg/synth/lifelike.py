"""Preset ``lifelike``: looks as photographs have them, for training beside ``randomised``.

Comes in: a seed. Goes out: ``FramePlan`` lists for ``production``. Draws within the ranges of
``randomised``, but nearer to their middle: tables are mostly white, grey, black or wooden with a
faint grain, light is soft, pictures are bright enough and hardly tinted, both fingers are well in
view. ``holdout`` lies outside of both.
"""

from __future__ import annotations

import numpy as np

from wristseg.synth.look import RGB
from wristseg.synth.plan import FramePlan
from wristseg.synth.randomised import plan_recordings
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

__all__ = ["LIFELIKE_VARIETY", "plan_lifelike"]

#: Part of every seed, so that no burst shares its random numbers with one of ``randomised``.
_SEED_SPACE = 0x6C696665

_TABLE_COLORS: Choice[RGB] = Choice(
    (
        ((0.86, 0.85, 0.83), 6),
        ((0.80, 0.66, 0.48), 4),
        ((0.60, 0.42, 0.27), 2),
        ((0.34, 0.22, 0.14), 1),
        ((0.55, 0.55, 0.56), 2),
        ((0.10, 0.10, 0.11), 2.5),
        ((0.20, 0.38, 0.28), 0.3),
        ((0.22, 0.30, 0.48), 0.3),
    )
)

LIFELIKE_VARIETY = Variety(
    table_kind=Choice(
        (
            ("plain", 6),
            ("wood", 4),
            ("planks", 1),
            ("cloth", 1.5),
            ("speckle", 1.5),
            ("marble", 0.5),
            ("grid", 0.5),
            ("printed", 1.5),
            ("stripes", 0.2),
        )
    ),
    table_color=_TABLE_COLORS,
    table_contrast=Range(0.1, 0.5),
    color_jitter=0.035,
    obj=ObjectVariety(half=Range(0.008, 0.021)),
    light=LightVariety(
        count=Choice(((1, 2), (2, 2))),
        hard=0.25,
        spread=Range(0.08, 0.2),
        samples=5,
        warmth=(0.0, 0.05),
        ambient=Range(0.28, 0.45),
        headlight=Range(0.05, 0.3),
    ),
    mount=MountVariety(
        image_roll=Choice(((0.0, 8), (np.pi, 1.5), (np.pi / 2, 0.5), (-np.pi / 2, 0.5))),
        fovy_deg=Range(60.0, 95.0),
        barrel=Range(0.05, 0.35),
        least_finger=0.4,
    ),
    sensor=SensorVariety(
        brightness=Range(0.38, 0.60),
        warmth=Range(-0.08, 0.08),
        tint=Range(-0.03, 0.03),
        contrast=Range(0.85, 1.2),
        saturation=Range(0.6, 1.15),
        vignette=Range(0.0, 0.3),
        blur_px=Range(0.3, 1.5),
        motion_px=Range(1.5, 7.0),
        noise=Range(0.8, 5.0),
    ),
)


def plan_lifelike(
    scene: Scene, *, frames: int, seed: int, burst: int | None = None
) -> list[FramePlan]:
    """Plan frames, as ``plan_recordings`` says."""
    return plan_recordings(
        scene,
        LIFELIKE_VARIETY,
        name="lifelike",
        seed_space=_SEED_SPACE,
        frames=frames,
        seed=seed,
        burst=burst,
    )
