"""What a recording looks like, as plain data: drawn by the presets.

Everything here is a frozen value that travels to the worker processes; two equal looks give equal
pictures. Lengths are metres, angles radians, colours 0-1 RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "RGB",
    "ClutterLook",
    "LightLook",
    "Look",
    "MountLook",
    "ObjectLook",
    "SensorLook",
    "Shape",
    "Solid",
    "SurfaceLook",
    "TableLook",
    "TextureKind",
]

RGB = tuple[float, float, float]
_XYZ = tuple[float, float, float]
Shape = Literal["box", "cylinder", "ellipsoid", "capsule"]
TextureKind = Literal[
    "plain", "wood", "planks", "cloth", "speckle", "marble", "grid", "printed", "stripes", "layers",
    "checker", "tiles", "dots", "basket", "tartan", "terrazzo",
    "mosaic", "clouds", "bricks", "scribble", "waves", "collage",
]  # fmt: skip


@dataclass(frozen=True)
class SurfaceLook:
    """A procedural texture: pattern, its two colours, contrast, tile size, seed, shininess."""

    kind: TextureKind
    base_rgb: RGB
    other_rgb: RGB
    contrast: float = 0.5
    tile_m: float = 0.4
    seed: int = 0
    specular: float = 0.1


@dataclass(frozen=True)
class TableLook:
    """The table: a slab whose top is at z = 0, or none in sight."""

    surface: SurfaceLook
    center_xy: tuple[float, float] = (0.25, 0.0)
    half_size_xy: tuple[float, float] = (0.4, 0.55)
    thickness: float = 0.025
    yaw: float = 0.0
    present: bool = True


@dataclass(frozen=True)
class Solid:
    """One solid of an object: half sizes (x, y, z) and its offset from the object's centre."""

    shape: Shape
    half_size: _XYZ
    offset: _XYZ = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ObjectLook:
    """The object to grasp, labelled ``cube`` whatever its shape."""

    solids: tuple[Solid, ...]
    colors: tuple[RGB, ...]
    surface: SurfaceLook

    @property
    def height(self) -> float:
        """Height of the centre above the table when it stands on it."""
        return max(solid.half_size[2] - solid.offset[2] for solid in self.solids)


@dataclass(frozen=True)
class ClutterLook:
    """A thing that lies about and is labelled ``background``."""

    shape: Shape
    half_size: _XYZ
    position: _XYZ
    quat: tuple[float, float, float, float]
    rgb: RGB


@dataclass(frozen=True)
class LightLook:
    """A lamp: where it hangs, its strength, and whether the arm casts a shadow in it.

    Attributes:
        position: Where the lamp is.
        rgb: Diffuse strength per channel.
        cutoff_deg: Half the cone's angle; a narrow cone gives a sharp shadow map.
        spread: Radius of the lamp; above 0 it is drawn as several lamps, for a soft shadow.
        samples: How many those are.
        casts: Whether it casts shadows.
    """

    position: _XYZ
    rgb: RGB
    cutoff_deg: float = 35.0
    spread: float = 0.0
    casts: bool = True
    samples: int = 3


@dataclass(frozen=True)
class MountLook:
    """Where the camera sits on the gripper.

    The defaults are one measured calibration: moving finger lower left, static finger lower right.

    Attributes:
        side: Angle about the gripper's long axis; pi is the other side.
        distance: From that axis to the lens.
        lateral: Offset along the closing direction.
        height: Along the gripper's axis (0 at the wrist, -0.1 at the fingertips).
        tilt: Between the view and the gripper's axis.
        image_roll: Turn of the camera about its own view.
        fovy_deg: Vertical field of view.
        barrel: Radial distortion; above 0 bends straight lines outwards as wide lenses do.
    """

    side: float = 0.0
    distance: float = 0.065
    lateral: float = 0.008
    height: float = -0.019
    tilt: float = 0.398
    image_roll: float = 0.0
    fovy_deg: float = 70.5
    barrel: float = 0.0


@dataclass(frozen=True)
class SensorLook:
    """What lens and sensor do to a clean picture (see ``sensor``).

    Attributes:
        exposure: Factor on the light.
        auto_exposure: Mean brightness, 0-1, that an automatic exposure strives for before
            ``exposure`` is applied; None leaves the light as rendered.
        white_balance: Factor per channel.
        contrast: Slope of the tone curve in its middle; 1 leaves tones alone.
        saturation: 1 leaves colours alone, 0 is grey.
        vignette: Light lost in the corners, 0-1.
        blur_px: Defocus, standard deviation in pixels at 640x480.
        motion_px: Length of the motion blur at 640x480.
        motion_angle: Its direction.
        noise: Standard deviation of the noise at mid-grey, of 255.
        sharpen: How much of the fine detail the camera adds once more; leaves bright and dark rims.
        jpeg_quality: Pillow's scale; 93 is about ffmpeg's -qscale:v 2.
    """

    exposure: float = 1.0
    auto_exposure: float | None = None
    white_balance: RGB = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.2
    blur_px: float = 0.6
    motion_px: float = 0.0
    motion_angle: float = 0.0
    noise: float = 2.0
    sharpen: float = 0.0
    jpeg_quality: int = 93


@dataclass(frozen=True)
class Look:
    """All that a recording's pictures depend on beside the pose.

    ``wall_distance`` is from the arm's base, ``floor_z`` above the table's top, which is 0;
    ``clutter_surface`` is multiplied by the colour of each thing that lies about.
    """

    table: TableLook
    floor: SurfaceLook
    wall: SurfaceLook
    wall_distance: float
    arm: SurfaceLook
    jaw_rgb: RGB
    moving_jaw_rgb: RGB
    motor_rgb: RGB
    pad_rgb: RGB | None
    soft_fingers: bool
    obj: ObjectLook
    clutter: tuple[ClutterLook, ...]
    lights: tuple[LightLook, ...]
    ambient: float
    headlight: float
    mount: MountLook
    sensor: SensorLook
    clutter_surface: SurfaceLook = SurfaceLook(
        "plain", (1.0, 1.0, 1.0), (0.6, 0.6, 0.6), 0.6, tile_m=1.0, specular=0.5
    )
    floor_z: float = -0.75
