"""One rendering process: a scene, a renderer, and frames drawn one after another.

``production`` starts these with ``spawn``; each builds its scene once. Comes in: ``FramePlan``.
Goes out: picture files, and what the annotator drew.
"""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import DEFAULT_CLASSES
from wristseg.images import write_mask
from wristseg.synth.annotate import Annotation, AnnotationStyle, Mask, annotate, spoil
from wristseg.synth.detail import detail_for
from wristseg.synth.dress import apply_look, apply_pose, upload_surfaces
from wristseg.synth.look import Look, SensorLook
from wristseg.synth.plan import FramePlan
from wristseg.synth.poses import Pose
from wristseg.synth.renderer import FrameRenderer
from wristseg.synth.scene import Group, Scene
from wristseg.synth.sensor import bend, encode_jpeg, expose

__all__ = ["DrawnFrame", "Studio", "draw_batch", "draw_pictures"]

#: Share of the time between two video frames that the shutter is open.
_SHUTTER = 0.4
#: Distance at which motion blur is right; what is nearer should smear more, and does not.
_BLUR_DEPTH_M = 0.15
_FINGERS = ("static_finger", "moving_finger")


@dataclass(frozen=True)
class DrawnFrame:
    """A finished frame.

    Attributes:
        plan: What was asked for.
        photo: (H, W, 3) uint8, RGB.
        exact: (H, W) uint8, class ids as rendered.
        annotations: What the annotator drew, categories by name.
    """

    plan: FramePlan
    photo: NDArray[np.uint8]
    exact: Mask
    annotations: list[Annotation]


@dataclass
class Studio:
    """A scene with its renderer; remembers which look it wears.

    Attributes:
        scene: The scene.
        renderer: Its renderer.
        size_hw: Height and width of the frames.
        style: How annotations are drawn.
    """

    scene: Scene
    renderer: FrameRenderer
    size_hw: tuple[int, int]
    style: AnnotationStyle = field(default_factory=AnnotationStyle)
    _worn: Look | None = None

    @classmethod
    def open(cls, *, size_hw: tuple[int, int]) -> Studio:
        """Build scene and renderer.

        Raises:
            UsageError: No off-screen OpenGL can be had.
        """
        scene = Scene.build(detail_for(size_hw))
        return cls(scene, FrameRenderer(scene, size_hw=size_hw), size_hw)

    def draw(self, plan: FramePlan) -> DrawnFrame:
        """Render one frame, photograph it and annotate it."""
        photo = self.photograph(plan)
        exact = self._ids(plan)
        # Chance of its own: the hand must not depend on how much noise the sensor drew.
        rng = np.random.default_rng([plan.seed, 1])
        annotations = annotate(self._regions(plan, exact), style=self.style, rng=rng)
        if plan.flaw is not None:
            annotations = spoil(annotations, plan.flaw, size_hw=self.size_hw)
        return DrawnFrame(plan, photo, exact, annotations)

    def photograph(self, plan: FramePlan) -> NDArray[np.uint8]:
        """Return the frame as the camera gives it, (H, W, 3) uint8, RGB."""
        self._wear(plan.look)
        rng = np.random.default_rng([plan.seed, 0])
        sensor = plan.look.sensor
        # Automatic exposure is never quite at rest.
        sensor = replace(sensor, exposure=sensor.exposure * float(rng.normal(1.0, 0.01)))
        if plan.before is not None:
            length, angle = self._motion(plan, before=plan.before)
            sensor = replace(sensor, motion_px=length, motion_angle=angle)
        apply_pose(self.scene, plan.look, plan.pose)
        clean = bend(self.renderer.color(), plan.look.mount.barrel, smooth=True)
        return expose(clean, sensor, rng=rng)

    def _wear(self, look: Look) -> None:
        # Frames of a burst differ in their sensor only, which is not part of the scene.
        look = replace(look, sensor=SensorLook())
        if look != self._worn:
            apply_look(self.scene, look)
            upload_surfaces(self.renderer, look)
            self._worn = look

    def _ids(self, plan: FramePlan, *, hide: Sequence[int] = ()) -> Mask:
        return bend(self.renderer.class_ids(hide=hide), plan.look.mount.barrel, smooth=False)

    def _regions(self, plan: FramePlan, exact: Mask) -> dict[str, Mask]:
        """What the annotator outlines: what is seen, and whole what the draw order will cover."""
        regions = {name: _only(exact, name) for name in DEFAULT_CLASSES.names[1:]}
        if plan.tag == "grasp":
            without_object = self._ids(plan, hide=[Group.OBJECT])
            regions |= {name: _only(without_object, name) for name in _FINGERS}
        elif regions["cube"].any():  # nobody guesses at an object that is hidden altogether
            regions["cube"] = _only(self._ids(plan, hide=[Group.FINGERS]), "cube")
        return regions

    def _motion(self, plan: FramePlan, *, before: Pose) -> tuple[float, float]:
        """Length in pixels at 640x480 and direction of the blur since the pose before."""
        apply_pose(self.scene, plan.look, plan.pose)
        axes, origin = self._camera()
        point = origin - _BLUR_DEPTH_M * axes[:, 2]
        apply_pose(self.scene, plan.look, before)
        axes, origin = self._camera()
        x, y, z = axes.T @ (point - origin)
        focal_px = 240.0 / np.tan(np.radians(plan.look.mount.fovy_deg) / 2)
        right, down = np.array([-x, y]) / -z * focal_px * _SHUTTER
        return float(np.hypot(right, down)), float(np.arctan2(down, right))

    def _camera(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Axes (as columns) and position of the camera."""
        camera, data = self.scene.model.camera("wrist").id, self.scene.data
        return data.cam_xmat[camera].reshape(3, 3).copy(), data.cam_xpos[camera].copy()


def _only(ids: Mask, name: str) -> Mask:
    return np.asarray(ids == DEFAULT_CLASSES.id_of(name), np.uint8)


_studio: Studio | None = None


def draw_batch(
    plans: Sequence[FramePlan], size_hw: tuple[int, int], images: Path, exact_masks: Path | None
) -> list[list[Annotation]]:
    """Draw frames as ``<stem>.jpg`` into ``images``, their exact ids into ``exact_masks``.

    Returns:
        The annotations of each frame, in the order given.

    Raises:
        UsageError: No off-screen OpenGL can be had.
    """
    studio, drawn = _opened(size_hw), []
    for plan in plans:
        frame = studio.draw(plan)
        jpeg = encode_jpeg(frame.photo, plan.look.sensor.jpeg_quality)
        (images / f"{plan.stem}.jpg").write_bytes(jpeg)
        if exact_masks is not None:
            write_mask(exact_masks / f"{plan.stem}.png", frame.exact, DEFAULT_CLASSES)
        drawn.append(frame.annotations)
    return drawn


def draw_pictures(plans: Sequence[FramePlan], size_hw: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Draw the frames of a clip, each (H, W, 3) uint8, RGB.

    Raises:
        UsageError: No off-screen OpenGL can be had.
    """
    studio = _opened(size_hw)
    return [studio.photograph(plan) for plan in plans]


def _opened(size_hw: tuple[int, int]) -> Studio:
    """Return the process's only studio; the first call builds it."""
    global _studio  # noqa: PLW0603 - a pool has no other place for what its tasks share
    if _studio is None:
        _studio = Studio.open(size_hw=size_hw)
        # Left to the garbage collector, EGL complains when the interpreter is half gone.
        atexit.register(_studio.renderer.close)
    assert _studio.size_hw == size_hw
    return _studio
