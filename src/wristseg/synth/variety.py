"""How much the preset ``randomised`` varies: ranges, choices and weights, as data.

``randomised`` draws from these, ``lifelike``, ``wild`` and ``holdout`` from others of the same
kind. Angles are radians, lengths metres, colours 0-1 RGB. Where a range comes from: 18 photographs
of wrist cameras from eight laboratories were studied; the wide ends go beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from wristseg.synth.look import RGB, Shape, TextureKind

__all__ = [
    "DEFAULT_VARIETY",
    "Choice",
    "LightVariety",
    "MountVariety",
    "ObjectVariety",
    "Range",
    "Ranges",
    "RoomVariety",
    "SensorVariety",
    "Variety",
]

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Range:
    """An interval to draw from evenly."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Choice(Generic[ValueT]):
    """Values with their weights."""

    weights: tuple[tuple[ValueT, float], ...]

    def draw(self, rng: np.random.Generator) -> ValueT:
        """Draw a value."""
        share = np.array([weight for _, weight in self.weights])
        return self.weights[int(rng.choice(len(share), p=share / share.sum()))][0]


@dataclass(frozen=True)
class Ranges:
    """Intervals to draw from, each as often as the others."""

    ranges: tuple[Range, ...]

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        return self.ranges[int(rng.integers(len(self.ranges)))].draw(rng)


@dataclass(frozen=True)
class MountVariety:
    """Where cameras are mounted (see ``look.MountLook``)."""

    # The measured calibration's side, the opposite one, and the flanks.
    side: Choice[float] = Choice(((0.0, 4), (np.pi, 4), (np.pi / 2, 0.4), (-np.pi / 2, 0.4)))
    side_jitter: Range = Range(-0.25, 0.25)
    image_roll: Choice[float] = Choice(((0.0, 6), (np.pi, 1.5), (np.pi / 2, 1), (-np.pi / 2, 1)))
    image_roll_jitter: Range = Range(-0.12, 0.12)
    distance: Range | Ranges = Range(0.05, 0.085)
    lateral: Range = Range(-0.012, 0.016)
    height: Range = Range(-0.045, 0.015)
    tilt: Range = Range(0.15, 0.65)
    fovy_deg: Range = Range(55.0, 95.0)
    barrel: Range = Range(0.0, 0.35)
    #: A mount counts if the picture shows at least this share of each finger.
    least_finger: float = 0.2


@dataclass(frozen=True)
class SensorVariety:
    """What cameras do to a picture (see ``look.SensorLook``)."""

    brightness: Range = Range(0.24, 0.60)
    warmth: Range = Range(-0.16, 0.16)
    tint: Range = Range(-0.06, 0.06)
    contrast: Range = Range(0.8, 1.3)
    saturation: Range = Range(0.45, 1.3)
    vignette: Range = Range(0.0, 0.5)
    blur_px: Range = Range(0.3, 1.9)
    still: float = 0.45
    motion_px: Range = Range(1.5, 11.0)
    noise: Range = Range(0.8, 8.0)
    sharpen: float = 0.0
    jpeg_quality: Range = Range(62.0, 95.0)


@dataclass(frozen=True)
class LightVariety:
    """Lamps (see ``look.LightLook``) and the light that comes from everywhere.

    Attributes:
        count: Lamps.
        hard: Share of lamps with sharp shadows.
        height: Of a lamp above the table.
        away: Its distance from the fingertips, along the table.
        strength: Of a single lamp.
        warmth: Mean and deviation of how much red it has more, and blue less.
        cutoff_deg: Half the angle of its cone.
        spread: Radius of a lamp with soft shadows.
        samples: Small lamps that such a lamp is drawn as.
        ambient: Light without direction.
        headlight: Light from the camera.
    """

    count: Choice[int] = Choice(((1, 3), (2, 3), (3, 1)))
    hard: float = 0.55
    height: Range = Range(0.5, 1.3)
    away: Range = Range(0.1, 0.9)
    strength: Range = Range(0.35, 0.85)
    warmth: tuple[float, float] = (0.0, 0.08)
    cutoff_deg: Range = Range(28, 45)
    spread: Range = Range(0.03, 0.2)
    samples: int = 3
    ambient: Range = Range(0.15, 0.45)
    headlight: Range = Range(0.0, 0.3)


_KINDS: Choice[TextureKind] = Choice(
    (
        ("plain", 4),
        ("wood", 4),
        ("planks", 1.5),
        ("cloth", 2),
        ("speckle", 2),
        ("marble", 1),
        ("grid", 1),
        ("printed", 1.5),
        ("stripes", 1),
    )
)
_OBJECT_KINDS: Choice[TextureKind] = Choice(
    (("plain", 6), ("printed", 2), ("stripes", 1), ("speckle", 1), ("wood", 1), ("cloth", 0.5))
)


@dataclass(frozen=True)
class ObjectVariety:
    """The object to grasp.

    Attributes:
        shapes: Shapes of its solids, as often as they stand here.
        kind: Pattern.
        half: Half sizes of its solids.
        two_solids: Share of objects made of two solids.
        forms: Names of ``objects.FORMS``, which then take the place of shapes and stacks.
        strong: Share of colours that are strong.
        strong_colors: How strong those are: 0 is grey, 1 has no light of the opposite hue.
        weak_colors: How strong the others are.
    """

    shapes: tuple[Shape, ...] = ("box", "box", "box", "cylinder", "ellipsoid")
    kind: Choice[TextureKind] = _OBJECT_KINDS
    half: Range = Range(0.007, 0.021)
    two_solids: float = 0.25
    forms: Choice[str] | None = None
    strong: float = 0.75
    strong_colors: Range = Range(0.5, 1.0)
    weak_colors: Range = Range(0.0, 0.15)


#: Filament colours, by how often they are seen.
_FILAMENTS: Choice[RGB] = Choice(
    (
        ((0.93, 0.93, 0.92), 4),
        ((0.07, 0.07, 0.08), 4),
        ((1.0, 0.80, 0.15), 3),
        ((1.0, 0.48, 0.10), 3),
        ((0.35, 0.75, 0.25), 1.5),
        ((0.15, 0.35, 0.80), 1.5),
        ((0.80, 0.12, 0.12), 1),
        ((0.50, 0.50, 0.52), 2),
        ((0.55, 0.30, 0.70), 0.7),
        ((0.15, 0.65, 0.65), 0.7),
        ((0.95, 0.60, 0.75), 0.5),
    )
)
#: Light, dark and in between; jittered afterwards.
_TABLE_COLORS: Choice[RGB] = Choice(
    (
        ((0.80, 0.66, 0.48), 3),
        ((0.60, 0.42, 0.27), 2),
        ((0.34, 0.22, 0.14), 1),
        ((0.86, 0.85, 0.83), 4),
        ((0.55, 0.55, 0.56), 2),
        ((0.10, 0.10, 0.11), 2),
        ((0.20, 0.38, 0.28), 1),
        ((0.22, 0.30, 0.48), 1),
        ((0.70, 0.25, 0.22), 0.5),
    )
)


@dataclass(frozen=True)
class RoomVariety:
    """What stands and hangs around the table, and how the table lies in the room.

    Attributes:
        floor_z: Height of the floor; the table's top is at 0.
        far_x: Far edge of the table, from the arm's base.
        yaw: Turn of the table.
        furniture: Most large things on the floor.
        hanging: Most things above the camera, which throw shadows.
        clutter_kind: Pattern of all of these and of what lies about.
    """

    floor_z: Range
    far_x: Range
    yaw: Range
    furniture: int
    hanging: int
    clutter_kind: Choice[TextureKind]


@dataclass(frozen=True)
class Variety:
    """Everything the preset draws.

    Attributes:
        burst: Frames that share a look, each with a pose of its own.
        table_kind: Pattern of the table.
        table_color: Its main colour.
        table_contrast: How strongly the pattern's second colour shows.
        no_table: Share of looks without a table in sight.
        no_object: Share of frames without an object.
        scene: What a frame shows: the object away from the fingers, between open jaws on the table,
            held on the table or held in the air.
        filament: Colours of arm and jaws.
        color_jitter: Deviation of colours from those that are listed.
        same_jaws: Share of looks whose jaws have the arm's colour.
        same_moving_jaw: Share of looks whose two jaws have one colour.
        pads: Share of looks with stock jaws that have rubber pads on the fingertips.
        soft_fingers: Share of looks with fin-ray fingers in place of the stock jaws.
        obj: Objects.
        clutter: Most things that lie about.
        cable: Share of looks with a cable.
        light: Lamps.
        mount: Camera mounts.
        sensor: Cameras.
        room: The room, or None for a bare one.
    """

    burst: int = 3
    table_kind: Choice[TextureKind] = _KINDS
    table_color: Choice[RGB] = _TABLE_COLORS
    table_contrast: Range = Range(0.2, 0.9)
    no_table: float = 0.05
    no_object: float = 0.10
    scene: Choice[str] = Choice((("apart", 5), ("between", 2), ("held", 2), ("lifted", 2)))
    filament: Choice[RGB] = _FILAMENTS
    color_jitter: float = 0.06
    same_jaws: float = 0.6
    same_moving_jaw: float = 0.85
    pads: float = 0.2
    soft_fingers: float = 0.2
    obj: ObjectVariety = ObjectVariety()
    clutter: int = 8
    cable: float = 0.35
    light: LightVariety = LightVariety()
    mount: MountVariety = MountVariety()
    sensor: SensorVariety = SensorVariety()
    room: RoomVariety | None = None


DEFAULT_VARIETY = Variety()
