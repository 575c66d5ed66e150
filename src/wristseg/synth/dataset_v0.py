"""Preset ``dataset-v0``: five recordings of one arm and one cube, and two clips, as data.

Comes in: a seed. Goes out: ``FramePlan`` lists for ``production``. Counts and names follow the data
set that the project was asked for; see ``data/dataset_v0/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wristseg.synth.annotate import Flaw
from wristseg.synth.clutter import lay_cable
from wristseg.synth.config import ClipName
from wristseg.synth.demonstration import demonstration
from wristseg.synth.look import (
    ClutterLook,
    LightLook,
    Look,
    MountLook,
    ObjectLook,
    SensorLook,
    Solid,
    SurfaceLook,
    TableLook,
)
from wristseg.synth.plan import FramePlan, child_rng, child_seed
from wristseg.synth.poses import Pose
from wristseg.synth.scene import Scene
from wristseg.synth.trajectory import Roaming, tour

__all__ = ["RECORDINGS", "Recording", "plan_clip", "plan_dataset_v0"]


@dataclass(frozen=True)
class Recording:
    """One recording of the data set.

    Attributes:
        name: First part of the file names.
        frames: Frames taken from it.
        look: What it looks like.
        held: Frames, by place, that show the cube held between the jaws; they get a grasp mark.
        with_object: Whether the cube lies on the table.
        flaws: Frames, by place, whose annotations are bad on purpose.
    """

    name: str
    frames: int
    look: Look
    held: tuple[int, int] | None
    with_object: bool
    flaws: Mapping[int, Flaw]


_ROAMING = Roaming(x=(0.19, 0.27), y=(-0.10, 0.10), down=(0.88, 1.22), roll=(1.25, 1.9))

_CUBE = ObjectLook(
    solids=(Solid("box", (0.0125, 0.0125, 0.0125)),),
    colors=((0.80, 0.10, 0.08),),
    surface=SurfaceLook("plain", (1, 1, 1), (0.75, 0.75, 0.75), 0.5, 0.05, seed=5, specular=0.25),
)
_BLACK = (0.06, 0.06, 0.06)
_BOTTLE = ClutterLook(
    "cylinder", (0.03, 0.03, 0.06), (0.29, -0.17, 0.06), (1, 0, 0, 0), (0.2, 0.35, 0.6)
)
_BOOK = ClutterLook(
    "box", (0.07, 0.1, 0.009), (0.30, 0.17, 0.009), (0.97, 0, 0, 0.24), (0.16, 0.3, 0.25)
)
_TAPE = ClutterLook(
    "cylinder", (0.022, 0.022, 0.011), (0.29, -0.13, 0.011), (1, 0, 0, 0), (0.8, 0.78, 0.7)
)


_LIGHT_WOOD = SurfaceLook("wood", (0.80, 0.66, 0.48), (0.62, 0.46, 0.30), 0.7, 0.35, seed=11)
_PLANKS = SurfaceLook("planks", (0.68, 0.52, 0.36), (0.36, 0.24, 0.15), 0.8, 0.5, seed=23)
_LAMINATE = SurfaceLook("speckle", (0.72, 0.71, 0.69), (0.52, 0.51, 0.49), 0.4, 0.12, seed=31)
_CARPET = SurfaceLook("cloth", (0.30, 0.31, 0.34), (0.2, 0.2, 0.22), 0.7, 0.4, seed=2)
_PAINTED_WALL = SurfaceLook("plain", (0.78, 0.77, 0.74), (0.66, 0.65, 0.62), 0.6, 1.5, seed=3)

_WINDOW = LightLook((0.5, 0.9, 0.9), (0.34, 0.36, 0.39), 40.0, spread=0.16)
_LAMP = LightLook((0.05, -0.45, 0.75), (0.45, 0.42, 0.37), 30.0)

_BASE = Look(
    table=TableLook(_LIGHT_WOOD, center_xy=(0.02, 0.0), half_size_xy=(0.335, 0.6)),
    floor=_CARPET,
    wall=_PAINTED_WALL,
    wall_distance=1.6,
    arm=SurfaceLook("layers", (0.93, 0.62, 0.10), (0.80, 0.50, 0.06), 0.5, 0.02, specular=0.3),
    jaw_rgb=(1.0, 0.74, 0.22),
    moving_jaw_rgb=(1.0, 0.74, 0.22),
    motor_rgb=(0.09, 0.09, 0.09),
    pad_rgb=None,
    soft_fingers=False,
    obj=_CUBE,
    clutter=(_BOOK, _TAPE),
    lights=(_WINDOW, _LAMP),
    ambient=0.34,
    headlight=0.30,
    mount=MountLook(barrel=0.10),
    sensor=SensorLook(exposure=1.05, vignette=0.25, blur_px=0.7, noise=2.3, jpeg_quality=92),
)

RECORDINGS = (
    Recording(
        "camera_rec0",
        23,
        _BASE,
        None,
        with_object=True,
        flaws={9: "fingers_swapped"},
    ),
    Recording(
        "camera_rec1",
        9,
        replace(
            _BASE,
            clutter=(
                _BOOK,
                *lay_cable([(0.2, -0.3), (0.27, -0.2), (0.36, -0.16), (0.45, -0.2)], rgb=_BLACK),
            ),
            sensor=replace(_BASE.sensor, exposure=0.85, white_balance=(1.08, 1.0, 0.9)),
        ),
        None,
        with_object=False,
        flaws={4: "moving_finger_missing"},
    ),
    Recording(
        "grasp_demo0",
        43,
        replace(_BASE, clutter=(_BOOK, _BOTTLE)),
        (17, 25),
        with_object=True,
        flaws={6: "all_shifted", 33: "table_and_background_swapped"},
    ),
    Recording(
        "grasp_demo1",
        47,
        replace(
            _BASE,
            table=replace(_BASE.table, surface=_LAMINATE),
            lights=(
                LightLook((0.3, -0.8, 0.9), (0.38, 0.38, 0.38), 40.0, spread=0.14),
                replace(_LAMP, position=(0.5, 0.35, 0.8)),
            ),
            clutter=(
                _BOTTLE,
                *lay_cable([(0.33, -0.1), (0.36, 0.0), (0.34, 0.08), (0.4, 0.2)], rgb=_BLACK),
            ),
            ambient=0.30,
            sensor=replace(_BASE.sensor, exposure=0.95, white_balance=(0.96, 1.0, 1.05)),
        ),
        (20, 29),
        with_object=True,
        flaws={10: "cube_beside_itself", 38: "static_finger_boxed"},
    ),
    Recording(
        "grasp_demo2",
        48,
        replace(
            _BASE,
            table=replace(_BASE.table, surface=_PLANKS),
            lights=(LightLook((-0.2, 0.7, 1.0), (0.36, 0.34, 0.32), 40.0, spread=0.18), _LAMP),
            clutter=(_BOOK, _TAPE),
            sensor=replace(_BASE.sensor, exposure=1.2, white_balance=(1.05, 1.0, 0.93), noise=2.8),
        ),
        (23, 32),
        with_object=True,
        flaws={41: "cube_called_table"},
    ),
)


def plan_dataset_v0(scene: Scene, *, seed: int) -> list[FramePlan]:
    """Plan the 170 frames."""
    plans: list[FramePlan] = []
    for number, recording in enumerate(RECORDINGS):
        plans += _plan_recording(scene, recording, seed=child_seed(seed, number))
    return plans


def _plan_recording(scene: Scene, recording: Recording, *, seed: int) -> list[FramePlan]:
    rng = child_rng(seed, 0)
    scene.fit_fingers(soft=recording.look.soft_fingers)
    numbers = 12 + np.cumsum(rng.integers(5, 9, recording.frames))
    # Each frame and the one before it in the video, for the motion blur.
    both = np.sort(np.concatenate([numbers, numbers - 1]))
    poses = _poses(scene, recording, both, rng=rng)
    plans = []
    for i, number in enumerate(numbers):
        held = recording.held is not None and recording.held[0] <= i < recording.held[1]
        plan = FramePlan(
            stem=f"{recording.name}_frame_{number:04d}",
            look=recording.look,
            pose=poses[2 * i + 1],
            before=poses[2 * i],
            tag="grasp" if held else "default",
            seed=child_seed(seed, 1, i),
            flaw=recording.flaws.get(i),
        )
        plans.append(plan)
    return plans


def _poses(
    scene: Scene, recording: Recording, frames: NDArray[np.int64], *, rng: np.random.Generator
) -> list[Pose]:
    obj = recording.look.obj
    if recording.held is None:
        return tour(
            scene,
            obj,
            frames=frames,
            roaming=_ROAMING,
            with_object=recording.with_object,
            rng=rng,
        )
    held = slice(2 * recording.held[0], 2 * recording.held[1])
    return demonstration(scene, obj, frames=frames, held=held, roaming=_ROAMING, rng=rng)


def plan_clip(scene: Scene, name: ClipName, *, frames: int, seed: int) -> list[FramePlan]:
    """Plan a moving sequence at 30 frames a second."""
    numbers = np.arange(frames + 1)
    scene.fit_fingers(soft=_BASE.soft_fingers)
    if name == "grasp":
        recording = replace(RECORDINGS[3], held=None)
        rng = child_rng(seed, 100)
        held = slice(int(0.42 * frames), int(0.85 * frames))
        poses = demonstration(scene, _CUBE, frames=numbers, held=held, roaming=_ROAMING, rng=rng)
    else:
        recording = replace(RECORDINGS[0], look=_shadow_look())
        sweeping = Roaming(
            (0.2, 0.26), (-0.1, 0.1), (0.10, 0.14), (0.95, 1.15), (1.4, 1.75), (0.2, 0.9)
        )
        poses = tour(
            scene,
            _CUBE,
            frames=numbers,
            roaming=sweeping,
            with_object=True,
            rng=child_rng(seed, 200),
        )
    return [
        FramePlan(f"{i:04d}", recording.look, pose, before, "default", child_seed(seed, 300, i))
        for i, (before, pose) in enumerate(pairwise(poses))
    ]


def _shadow_look() -> Look:
    """One strong lamp behind the arm, so that its shadow falls before the camera."""
    lamp = LightLook((-0.15, -0.25, 0.8), (0.8, 0.77, 0.7), 35.0)
    return replace(_BASE, lights=(lamp,), ambient=0.34)
