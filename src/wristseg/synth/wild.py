"""Preset ``wild``: looks far beyond what photographs show, for training beside the others.

Comes in: a seed. Goes out: ``FramePlan`` lists for ``production``. A colour, pattern or light that
every class has worn tells a model nothing about the class ("Domain randomization for transferring
deep neural networks from simulation to the real world", https://arxiv.org/abs/1703.06907). What
``holdout`` measures with is left out: its patterns, forms, lamps, camera places, and all colours of
tables and arms near those it lists.
"""

from __future__ import annotations

import numpy as np

from wristseg.synth.holdout import HOLDOUT_VARIETY
from wristseg.synth.look import RGB, TextureKind
from wristseg.synth.plan import FramePlan
from wristseg.synth.randomised import plan_recordings
from wristseg.synth.scene import Scene
from wristseg.synth.variety import (
    Choice,
    LightVariety,
    MountVariety,
    ObjectVariety,
    Range,
    Ranges,
    RoomVariety,
    SensorVariety,
    Variety,
)

__all__ = ["WILD_VARIETY", "plan_wild"]

#: Part of every seed, so that no burst shares its random numbers with one of ``randomised``.
_SEED_SPACE = 0x77696C64
#: Levels of red, green and blue that make the colours, and how far these keep from holdout's.
_LEVELS, _LEAST_APART = (0.03, 0.25, 0.5, 0.75, 0.97), 0.2
#: How much rarer the strongest colours are than greys, as a natural logarithm.
_FADED = 2.0

_KINDS: Choice[TextureKind] = Choice(
    (
        ("plain", 3),
        ("wood", 1),
        ("planks", 1),
        ("cloth", 1),
        ("speckle", 1),
        ("marble", 1),
        ("grid", 1),
        ("printed", 2),
        ("stripes", 1),
        ("mosaic", 2),
        ("clouds", 2),
        ("bricks", 2),
        ("scribble", 2),
        ("waves", 2),
        ("collage", 3),
    )
)


def _colors_apart_from(listed: Choice[RGB]) -> Choice[RGB]:
    """Return all colours, the strong ones less often, but those near the listed ones."""
    theirs = np.array([color for color, _ in listed.weights])
    colors = [(r, g, b) for r in _LEVELS for g in _LEVELS for b in _LEVELS]
    return Choice(
        tuple(
            (color, float(np.exp(_FADED * (min(color) - max(color)))))
            for color in colors
            if np.linalg.norm(theirs - color, axis=1).min() >= _LEAST_APART
        )
    )


WILD_VARIETY = Variety(
    burst=1,
    table_kind=_KINDS,
    table_color=_colors_apart_from(HOLDOUT_VARIETY.table_color),
    table_contrast=Range(0.1, 1.0),
    no_table=0.08,
    no_object=0.12,
    filament=_colors_apart_from(HOLDOUT_VARIETY.filament),
    same_jaws=0.5,
    same_moving_jaw=0.8,
    pads=0.3,
    soft_fingers=0.25,
    obj=ObjectVariety(
        shapes=("box", "box", "cylinder", "ellipsoid"),
        kind=_KINDS,
        half=Range(0.006, 0.024),
        two_solids=0.4,
    ),
    clutter=9,
    cable=0.4,
    light=LightVariety(
        count=Choice(((1, 3), (2, 3), (3, 2), (4, 1))),
        hard=0.6,
        height=Range(0.35, 1.6),
        away=Range(0.05, 0.62),
        strength=Range(0.3, 1.2),
        warmth=(0.0, 0.08),
        cutoff_deg=Range(24.0, 60.0),
        spread=Range(0.02, 0.2),
        ambient=Range(0.06, 0.5),
        headlight=Range(0.0, 0.35),
    ),
    mount=MountVariety(
        side=Choice(
            (
                (0.0, 4),
                (np.pi, 4),
                (np.pi / 2 - 0.35, 1),
                (np.pi / 2 + 0.35, 1),
                (-np.pi / 2 - 0.35, 1),
                (-np.pi / 2 + 0.35, 1),
            )
        ),
        image_roll=Choice(((0.0, 6), (np.pi, 2), (np.pi / 2, 1), (-np.pi / 2, 1))),
        image_roll_jitter=Range(-0.3, 0.3),
        distance=Ranges((Range(0.042, 0.085), Range(0.103, 0.130))),
        lateral=Range(-0.022, 0.026),
        height=Range(-0.055, 0.03),
        tilt=Range(0.05, 0.85),
        fovy_deg=Range(45.0, 110.0),
        barrel=Range(0.0, 0.45),
    ),
    sensor=SensorVariety(
        brightness=Range(0.2, 0.66),
        warmth=Range(-0.2, 0.2),
        contrast=Range(0.7, 1.45),
        saturation=Range(0.2, 1.5),
        vignette=Range(0.0, 0.6),
        blur_px=Range(0.3, 2.2),
        motion_px=Range(1.5, 12.0),
    ),
    room=RoomVariety(
        # Nearer, a table above its floor looks like a board that lies on a table.
        floor_z=Range(-0.95, -0.6),
        far_x=Range(0.26, 0.9),
        yaw=Range(-0.5, 0.5),
        furniture=5,
        hanging=3,
        clutter_kind=_KINDS,
    ),
)


def plan_wild(scene: Scene, *, frames: int, seed: int, burst: int | None = None) -> list[FramePlan]:
    """Plan frames, as ``plan_recordings`` says."""
    return plan_recordings(
        scene,
        WILD_VARIETY,
        name="wild",
        seed_space=_SEED_SPACE,
        frames=frames,
        seed=seed,
        burst=burst,
    )
