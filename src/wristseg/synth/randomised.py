"""Preset ``randomised``: each burst of frames has its own arm, camera, table, object and light.

Comes in: a seed and ``variety.Variety``. Goes out: ``FramePlan`` lists for ``production``. Frames
of a burst share the look, so that textures are painted once; each has a pose of its own.
``lifelike``, ``wild`` and ``holdout`` plan their bursts here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from wristseg.synth.clutter import draw_clutter
from wristseg.synth.contact import close_on_object, is_clear, stand_between_jaws
from wristseg.synth.look import (
    RGB,
    LightLook,
    Look,
    MountLook,
    ObjectLook,
    SensorLook,
    SurfaceLook,
    TableLook,
)
from wristseg.synth.objects import draw_object, jitter
from wristseg.synth.plan import FramePlan, child_rng, child_seed, each_burst
from wristseg.synth.poses import Pose, Reach, reach, share_in_view
from wristseg.synth.room import furnish
from wristseg.synth.scene import LIGHT_SLOTS, Scene
from wristseg.synth.trajectory import Roaming
from wristseg.synth.variety import (
    DEFAULT_VARIETY,
    LightVariety,
    MountVariety,
    SensorVariety,
    Variety,
)

__all__ = ["plan_burst", "plan_randomised", "plan_recordings"]

_TRIES = 300
#: Fingertips go anywhere in front of the arm, from touching the table to looking over its edge.
_LOW = Roaming((0.14, 0.33), (-0.16, 0.16), (0.008, 0.12), (0.75, 1.75), (-2.6, 2.7), (0.0, 1.0))
_HIGH = Roaming((0.16, 0.34), (-0.16, 0.16), (0.06, 0.22), (0.2, 1.5), (-2.6, 2.7), (0.0, 1.0))


def plan_randomised(
    scene: Scene,
    *,
    frames: int,
    seed: int,
    burst: int | None = None,
    variety: Variety = DEFAULT_VARIETY,
) -> list[FramePlan]:
    """Plan frames; the first N of a longer plan with the same seed and burst are the same frames.

    Args:
        scene: The scene; its arm is moved.
        frames: How many.
        seed: Everything follows from it.
        burst: Frames that share a look (default: the variety's).
        variety: What to draw from.
    """
    plans: list[FramePlan] = []
    burst = variety.burst if burst is None else burst
    for number in each_burst(frames, burst):
        first = number * burst
        stems = [f"randomised_frame_{first + i:05d}" for i in range(burst)]
        plans += plan_burst(scene, variety, stems=stems, seed_path=(seed, number))
    return plans[:frames]


def plan_recordings(
    scene: Scene,
    variety: Variety,
    *,
    name: str,
    seed_space: int,
    frames: int,
    seed: int,
    burst: int | None = None,
) -> list[FramePlan]:
    """Plan bursts that are recordings of their own by their names.

    The first N of a longer plan with the same seed and burst are the same frames.

    Args:
        scene: The scene; its arm is moved.
        variety: What to draw from.
        name: Begins the frames' names.
        seed_space: Part of every seed, so that two presets share no random numbers.
        frames: How many.
        seed: Everything follows from it.
        burst: Frames of a recording (default: the variety's).
    """
    plans: list[FramePlan] = []
    burst = variety.burst if burst is None else burst
    for number in each_burst(frames, burst):
        stems = [f"{name}{number:05d}_frame_{i:04d}" for i in range(burst)]
        # Counted from 1: a path that ends with 0 is the same as the shorter one.
        path = (seed, seed_space, number + 1)
        plans += plan_burst(scene, variety, stems=stems, seed_path=path)
    return plans[:frames]


def plan_burst(
    scene: Scene, variety: Variety, *, stems: Sequence[str], seed_path: tuple[int, ...]
) -> list[FramePlan]:
    """Plan frames that share a look.

    Args:
        scene: The scene; its arm is moved.
        variety: What to draw from.
        stems: File names without suffix, one per frame.
        seed_path: Seed of the data set and what of it this burst is (see ``plan.child_seed``).
    """
    rng = child_rng(*seed_path)
    look = _draw_look(scene, variety, rng)  # fits the fingers that the poses then use
    poses = [_draw_pose(scene, look, variety, rng) for _ in stems]
    look = replace(look, clutter=draw_clutter(scene, poses, variety, rng))
    if variety.room is not None:
        look = furnish(look, variety.room, scene=scene, poses=poses, rng=rng)
    return [
        FramePlan(
            stem=stem,
            look=replace(look, sensor=_draw_sensor(variety.sensor, child_rng(*seed_path, 1, i))),
            pose=pose,
            before=None,
            tag=_tag(pose),
            seed=child_seed(*seed_path, 2, i),
        )
        for i, (stem, pose) in enumerate(zip(stems, poses, strict=True))
    ]


def _tag(pose: Pose) -> Literal["default", "grasp"]:
    return "grasp" if pose.held else "default"


def _draw_look(scene: Scene, variety: Variety, rng: np.random.Generator) -> Look:
    arm_rgb = jitter(variety.filament.draw(rng), rng, spread=variety.color_jitter)
    same_jaws = rng.random() < variety.same_jaws
    jaw_rgb = (
        arm_rgb
        if same_jaws
        else jitter(variety.filament.draw(rng), rng, spread=variety.color_jitter)
    )
    same_moving = rng.random() < variety.same_moving_jaw
    moving_rgb = (
        jaw_rgb
        if same_moving
        else jitter(variety.filament.draw(rng), rng, spread=variety.color_jitter)
    )
    darker: RGB = (0.8 * arm_rgb[0], 0.8 * arm_rgb[1], 0.8 * arm_rgb[2])
    soft = bool(rng.random() < variety.soft_fingers)
    scene.fit_fingers(soft=soft)
    with_pads = not soft and rng.random() < variety.pads
    return Look(
        table=_draw_table(variety, rng),
        floor=_draw_surface(variety, rng, tile_m=(0.5, 1.5)),
        wall=_draw_surface(variety, rng, tile_m=(0.8, 2.5)),
        wall_distance=float(rng.uniform(0.7, 2.5)),
        arm=SurfaceLook(
            "layers", arm_rgb, darker, 0.6, 0.02, specular=float(rng.uniform(0.05, 0.5))
        ),
        jaw_rgb=jaw_rgb,
        moving_jaw_rgb=moving_rgb,
        motor_rgb=(0.08, 0.08, 0.09),
        pad_rgb=jitter(variety.filament.draw(rng), rng, spread=variety.color_jitter)
        if with_pads
        else None,
        soft_fingers=soft,
        obj=draw_object(variety.obj, rng),
        clutter=(),
        lights=_draw_lights(variety.light, rng),
        ambient=variety.light.ambient.draw(rng),
        headlight=variety.light.headlight.draw(rng),
        mount=_draw_mount(scene, variety.mount, rng),
        sensor=SensorLook(),
    )


def _draw_surface(
    variety: Variety, rng: np.random.Generator, *, tile_m: tuple[float, float]
) -> SurfaceLook:
    base = jitter(variety.table_color.draw(rng), rng, spread=variety.color_jitter)
    # The pattern's second colour: a darker or lighter shade, or another colour altogether.
    shade = float(rng.uniform(0.35, 0.75) if rng.random() < 0.65 else rng.uniform(1.2, 1.6))
    shaded = jitter((base[0] * shade, base[1] * shade, base[2] * shade), rng, spread=0.03)
    other = shaded
    if rng.random() >= 0.75:
        other = jitter(variety.table_color.draw(rng), rng, spread=variety.color_jitter)
    return SurfaceLook(
        kind=variety.table_kind.draw(rng),
        base_rgb=base,
        other_rgb=other,
        contrast=variety.table_contrast.draw(rng),
        tile_m=float(rng.uniform(*tile_m)),
        seed=int(rng.integers(2**31)),
        specular=float(rng.uniform(0.0, 0.4)),
    )


def _draw_table(variety: Variety, rng: np.random.Generator) -> TableLook:
    # The far edge is often within sight, the near one is where the arm is clamped.
    far_x, half_y = float(rng.uniform(0.3, 0.75)), float(rng.uniform(0.25, 0.8))
    near_x = float(rng.uniform(-0.5, -0.1))
    return TableLook(
        surface=_draw_surface(variety, rng, tile_m=(0.12, 0.6)),
        center_xy=((far_x + near_x) / 2, float(rng.uniform(-0.1, 0.1))),
        half_size_xy=((far_x - near_x) / 2, half_y),
        thickness=float(rng.uniform(0.008, 0.03)),
        yaw=float(rng.normal(0.0, 0.12)),
        present=bool(rng.random() >= variety.no_table),
    )


def _draw_lights(variety: LightVariety, rng: np.random.Generator) -> tuple[LightLook, ...]:
    lights: list[LightLook] = []
    free_slots, count = LIGHT_SLOTS, variety.count.draw(rng)
    for i in range(count):
        hard = rng.random() < variety.hard
        free_slots -= 1 if hard else variety.samples
        if free_slots < 0:
            break
        azimuth, height = rng.uniform(0, 2 * np.pi), variety.height.draw(rng)
        away = variety.away.draw(rng)
        warmth = float(rng.normal(*variety.warmth))
        strength = variety.strength.draw(rng) / (1 + 0.6 * i) / np.sqrt(count)
        lights.append(
            LightLook(
                position=(
                    0.24 + away * float(np.cos(azimuth)),
                    away * float(np.sin(azimuth)),
                    height,
                ),
                rgb=(strength * (1 + warmth), strength, strength * (1 - warmth)),
                cutoff_deg=variety.cutoff_deg.draw(rng),
                spread=0.0 if hard else variety.spread.draw(rng),
                casts=bool(rng.random() < 0.9),
                samples=variety.samples,
            )
        )
    return tuple(lights)


def _draw_mount(scene: Scene, variety: MountVariety, rng: np.random.Generator) -> MountLook:
    """Draw mounts until one shows both fingers, at half-open jaws."""
    for _ in range(_TRIES):
        mount = MountLook(
            side=variety.side.draw(rng) + variety.side_jitter.draw(rng),
            distance=variety.distance.draw(rng),
            lateral=variety.lateral.draw(rng),
            height=variety.height.draw(rng),
            tilt=variety.tilt.draw(rng),
            image_roll=variety.image_roll.draw(rng) + variety.image_roll_jitter.draw(rng),
            fovy_deg=variety.fovy_deg.draw(rng),
            barrel=variety.barrel.draw(rng),
        )
        shares = [
            share_in_view(scene, mount, finger, opening=0.4)
            for finger in ("static_finger", "moving_finger")
        ]
        if min(shares) >= variety.least_finger:
            return mount
    raise AssertionError("no mount shows the fingers: the ranges of MountVariety are wrong")


def _draw_sensor(variety: SensorVariety, rng: np.random.Generator) -> SensorLook:
    warmth, tint = variety.warmth.draw(rng), variety.tint.draw(rng)
    moving = rng.random() >= variety.still
    return SensorLook(
        auto_exposure=variety.brightness.draw(rng),
        white_balance=(1.0 + warmth, 1.0 + tint, 1.0 - warmth),
        contrast=variety.contrast.draw(rng),
        saturation=variety.saturation.draw(rng),
        vignette=variety.vignette.draw(rng),
        blur_px=variety.blur_px.draw(rng),
        motion_px=variety.motion_px.draw(rng) if moving else 0.0,
        motion_angle=float(rng.uniform(0.0, np.pi)),
        noise=variety.noise.draw(rng),
        sharpen=variety.sharpen,
        jpeg_quality=int(variety.jpeg_quality.draw(rng)),
    )


def _draw_pose(scene: Scene, look: Look, variety: Variety, rng: np.random.Generator) -> Pose:
    """Draw poses until one is free of collisions."""
    has_object = rng.random() >= variety.no_object
    wanted = variety.scene.draw(rng) if has_object else "nothing"
    for _ in range(_TRIES):
        pose = _try_pose(scene, look, wanted, rng)
        if pose is not None and is_clear(scene, look.obj, pose, table=look.table.present):
            return pose
    # An object too large for the jaws cannot be held; it can still lie there.
    return _draw_pose(scene, look, replace(variety, no_object=1.0), rng)


def _try_pose(scene: Scene, look: Look, wanted: str, rng: np.random.Generator) -> Pose | None:
    high = rng.random() < 0.35 or not look.table.present
    target = (_HIGH if high and wanted in {"apart", "nothing", "lifted"} else _LOW).sample(rng)
    if wanted in {"between", "held"}:
        x, y, _ = target.tip
        target = replace(target, tip=(x, y, float(rng.uniform(0.009, 0.03))), opening=1.0)
    joints = reach(scene, target)
    if joints is None:
        return None
    if wanted == "nothing":
        return Pose(joints)
    if wanted == "apart":
        return _lying_near(look.obj, joints, target, rng) if look.table.present else Pose(joints)
    in_gripper = wanted == "lifted" or not look.table.present
    slip = float(rng.uniform(-0.007, 0.007))
    standing = stand_between_jaws(scene, joints, look.obj, slip=slip, in_gripper=in_gripper)
    if wanted == "between":
        opening = float(rng.uniform(0.3, 1.3))
        return replace(standing, joints=(*joints[:5], opening))
    return close_on_object(scene, look.obj, standing)


def _lying_near(
    obj: ObjectLook, joints: tuple[float, ...], target: Reach, rng: np.random.Generator
) -> Pose:
    """Lay the object on the table around the point the camera looks at."""
    x, y = np.asarray(target.tip[:2]) + rng.normal(0.0, 0.05, 2)
    yaw = float(rng.uniform(-np.pi, np.pi))
    quat = (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))
    return Pose(joints, (float(x), float(y), obj.height), quat)
