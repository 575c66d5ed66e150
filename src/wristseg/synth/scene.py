"""The MuJoCo scene: an SO-101 at a table, with empty slots that a look and a pose fill per frame.

Compiled once per process; afterwards only arrays of the model change. Comes in: the arm's MJCF and
STL files of the ``sim`` extra. Goes out: ``Scene``, for ``poses`` (kinematics) and ``renderer``.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import DEFAULT_CLASSES
from wristseg.synth.detail import FULL, Detail
from wristseg.synth.extra import arm_folder
from wristseg.synth.finray import PARALLEL_OPENING, fin_ray_bars, mirrored, sample_bars
from wristseg.synth.mesh import cut_at_z, read_stl, sample_surface, simplify, weld

__all__ = [
    "CLUTTER_SLOTS",
    "JOINTS",
    "LIGHT_SLOTS",
    "Group",
    "Scene",
    "split_follower",
]

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
CLUTTER_SLOTS = 14
#: Classic OpenGL has eight lights, one of them MuJoCo's headlight.
LIGHT_SLOTS = 6

#: Height in the follower's mesh where the motor cage ends and the fixed jaw begins, metres.
_CAGE_TOP_Z = 0.036
_CONTACT_POINTS = 5000
_FOLLOWER = "wrist_roll_follower_so101_v1"
_MOVING = "moving_jaw_so101_v1"
#: Meshes right in front of the lens.
_NEAR_MESHES = ("cage", "static_finger", _MOVING)
#: End of the names of meshes with fewer triangles.
_SIMPLER = "_simpler"


class Group:
    """Geom groups, which a render can hide: (arm, fingers, object, surroundings, never drawn)."""

    ARM = 0
    FINGERS = 1
    OBJECT = 2
    SURROUNDINGS = 3
    HIDDEN = 5


@dataclass
class Scene:
    """The compiled scene with the ids that the other modules need.

    Attributes:
        model: Compiled model; looks and poses are written into its arrays.
        data: State of the kinematics.
        class_of_geom: (ngeom,) uint8, class id that each geom is labelled with.
        jaw_points: Points on each stock jaw's surface in its geom's frame, for contact tests.
        ray_points: The same for the soft fingers, in their bodies' frames.
        detail: How finely it is drawn.
        soft_fingers: Whether the soft fingers are fitted in place of the stock jaws.
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    class_of_geom: NDArray[np.uint8]
    jaw_points: dict[str, NDArray[np.float64]]
    ray_points: dict[str, NDArray[np.float64]]
    detail: Detail = FULL
    soft_fingers: bool = False

    @classmethod
    def build(cls, detail: Detail = FULL) -> Scene:
        """Read the arm's files, cut the fixed jaw off the motor cage and add the slots.

        Args:
            detail: How finely it is drawn; plans do not depend on it.
        """
        spec = mujoco.MjSpec.from_file(str(arm_folder() / "so101_new_calib.xml"))
        _drop_collision_geoms(spec)
        jaws = split_follower(spec)
        for geom in spec.geoms:
            if geom.name in {"static_finger", "moving_finger"}:
                geom.group = Group.FINGERS
        _simplify_meshes(spec, detail)
        _add_textures(spec, detail)
        _add_surroundings(spec)
        _add_lights_and_camera(spec)
        rays = _add_fin_rays(spec)
        model = spec.compile()
        _configure_visuals(model, detail)
        data = mujoco.MjData(model)
        return cls(model, data, _class_of_geom(model), jaws, rays, detail)

    def fit_fingers(self, *, soft: bool) -> None:
        """Fit the soft fingers or the stock jaws."""
        self.soft_fingers = soft
        for i in range(self.model.ngeom):
            name = self.model.geom(i).name
            if "_ray_" in name or name in {"static_finger", "moving_finger"}:
                fitted = soft == ("_ray_" in name)
                self.model.geom_group[i] = Group.FINGERS if fitted else Group.HIDDEN

    def geom(self, name: str) -> int:
        """Return a geom's id."""
        return int(self.model.geom(name).id)

    def body(self, name: str) -> int:
        """Return a body's id."""
        return int(self.model.body(name).id)


def _drop_collision_geoms(spec: mujoco.MjSpec) -> None:
    # Nothing is simulated; the collision copies would only be drawn or counted twice.
    for geom in list(spec.geoms):
        if geom.classname.name == "collision":
            spec.delete(geom)
        else:
            geom.group = Group.ARM


def split_follower(spec: mujoco.MjSpec) -> dict[str, NDArray[np.float64]]:
    """Cut the fixed jaw off the motor's cage, which are one mesh in the arm's files.

    The geom that is drawn is replaced by two, ``cage`` and ``static_finger``, and that of the
    moving jaw gets the name ``moving_finger``; those for collisions stay as they are. For any spec
    that holds the arm of the ``sim`` extra, before it is compiled.

    Returns:
        Points on each jaw's surface in its geom's frame, (N, 3) each, metres.
    """
    drawn = [geom for geom in spec.geoms if geom.classname.name != "collision"]
    follower = next(geom for geom in drawn if geom.meshname == _FOLLOWER)
    gripper = spec.body("gripper")
    folder = arm_folder() / "assets"
    cage, jaw = cut_at_z(read_stl(folder / f"{_FOLLOWER}.stl"), _CAGE_TOP_Z)
    for name, triangles in (("cage", cage), ("static_finger", jaw)):
        vertices, faces = weld(triangles)
        mesh = spec.add_mesh(name=name, uservert=vertices.ravel(), userface=faces.ravel())
        # An open mesh has no volume to take the inertia from.
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        geom = gripper.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name)
        geom.pos, geom.quat, geom.group = follower.pos, follower.quat, follower.group
        geom.contype = geom.conaffinity = 0
    spec.delete(follower)
    moving = next(geom for geom in drawn if geom.meshname == _MOVING)
    moving.name = "moving_finger"
    rng = np.random.default_rng(0)
    moving_jaw = read_stl(folder / f"{_MOVING}.stl")
    return {
        "static_finger": sample_surface(jaw, _CONTACT_POINTS, rng=rng),
        "moving_finger": sample_surface(moving_jaw, _CONTACT_POINTS, rng=rng),
    }


def _simplify_meshes(spec: mujoco.MjSpec, detail: Detail) -> None:
    """Draw the arm with fewer triangles; where its fingers touch was sampled before."""
    if detail.cells_m is None:
        return
    arm_cell, near_cell = detail.cells_m
    used = {geom.meshname for geom in spec.geoms}
    replaced = list(spec.meshes)
    for old in [mesh for mesh in replaced if mesh.name in used]:
        cell = near_cell if old.name in _NEAR_MESHES else arm_cell
        vertices, faces = simplify(*_corners(old), cell=cell)
        mesh = spec.add_mesh(
            name=old.name + _SIMPLER, uservert=vertices.ravel(), userface=faces.ravel()
        )
        # Textures lie along the axes of inertia.
        mesh.inertia = old.inertia
    for geom in spec.geoms:
        if geom.meshname:
            geom.meshname += _SIMPLER
    for old in replaced:  # MuJoCo would read and upload them all the same
        spec.delete(old)


def _corners(mesh: mujoco.MjsMesh) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return a mesh's vertices and faces as ``weld`` does, metres."""
    if mesh.file:
        return weld(read_stl(arm_folder() / "assets" / mesh.file) * np.asarray(mesh.scale))
    vertices, faces = np.asarray(mesh.uservert), np.asarray(mesh.userface, np.int64)
    return vertices.reshape(-1, 3), faces.reshape(-1, 3)


def _add_textures(spec: mujoco.MjSpec, detail: Detail) -> None:
    for name, size in detail.texture_sizes.items():
        spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
            rgb1=[0.5, 0.5, 0.5],
            width=size,
            height=size,
        )
        material = spec.add_material(name=name, texuniform=True)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    for geom in spec.geoms:
        if geom.name in {"static_finger", "moving_finger"}:
            geom.material = "jaw"
        elif "sts3215" not in geom.meshname:  # motors stay black
            geom.material = "arm"


def _add_surroundings(spec: mujoco.MjSpec) -> None:
    world = spec.worldbody
    box = mujoco.mjtGeom.mjGEOM_BOX
    slots = [("table", "table"), ("floor", "floor"), *((f"wall_{i}", "wall") for i in range(4))]
    slots += [(f"clutter_{i}", "clutter") for i in range(CLUTTER_SLOTS)]
    for name, material in slots:
        body = world.add_body(name=name)
        geom = body.add_geom(name=name, type=box, size=[0.1, 0.1, 0.1], material=material)
        geom.contype, geom.conaffinity, geom.group = 0, 0, Group.SURROUNDINGS
    body = world.add_body(name="object")
    for i in range(2):  # some objects are two solids stuck together
        geom = body.add_geom(name=f"object_{i}", type=box, size=[0.01] * 3, material="object")
        geom.contype, geom.conaffinity, geom.group = 0, 0, Group.OBJECT
    _add_pads(spec)


def _add_pads(spec: mujoco.MjSpec) -> None:
    """Rubber on the fingertips: the boxes that the arm's file has for contacts, a little larger."""
    pads = (
        ("static_pad", "gripper", [-0.0066, -0.0002, -0.0972], [1, 0, 0, 0]),
        ("moving_pad", _MOVING, [-0.01233, -0.07625, 0.0189], [0.68849, -0.68849, 0.1612, -0.1612]),
    )
    for name, holder, position, quat in pads:
        geom = spec.body(holder).add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX)
        geom.pos, geom.quat, geom.size = position, quat, [0.0055, 0.0088, 0.0085]
        geom.contype, geom.conaffinity, geom.group = 0, 0, Group.HIDDEN


def _add_fin_rays(spec: mujoco.MjSpec) -> dict[str, NDArray[np.float64]]:
    """Add the soft fingers' boxes to both jaws; return contact points in the bodies' frames."""
    fixed = fin_ray_bars()
    moving = tuple(mirrored(bar) for bar in fixed)
    still = np.eye(4)
    for name, holder, bars, frame in (
        ("static_ray", "gripper", fixed, still),
        ("moving_ray", _MOVING, moving, _parallel_frame(spec)),
    ):
        for i, bar in enumerate(bars):
            geom = spec.body(holder).add_geom(name=f"{name}_{i}", type=mujoco.mjtGeom.mjGEOM_BOX)
            geom.size, geom.material, geom.group = bar.half_size, "jaw", Group.HIDDEN
            geom.pos = frame[:3, :3].T @ (np.asarray(bar.center) - frame[:3, 3])
            quat = np.empty(4)
            mujoco.mju_mat2Quat(quat, (frame[:3, :3].T @ bar.axes()).ravel())
            geom.quat, geom.contype, geom.conaffinity = quat, 0, 0
    rng, frame = np.random.default_rng(1), _parallel_frame(spec)
    moving_points = sample_bars(moving, _CONTACT_POINTS, rng=rng)
    return {
        "static_finger": sample_bars(fixed, _CONTACT_POINTS, rng=rng),
        "moving_finger": (moving_points - frame[:3, 3]) @ frame[:3, :3],
    }


def _parallel_frame(spec: mujoco.MjSpec) -> NDArray[np.float64]:
    """Pose (4, 4) of the moving jaw's body in the gripper's frame while the jaws are parallel."""
    body, axes = spec.body(_MOVING), np.empty(9)
    mujoco.mju_quat2Mat(axes, np.asarray(body.quat))
    turn, about_z = np.empty(4), np.empty(9)
    mujoco.mju_axisAngle2Quat(turn, np.array([0.0, 0.0, 1.0]), PARALLEL_OPENING)
    mujoco.mju_quat2Mat(about_z, turn)
    frame = np.eye(4)
    frame[:3, :3] = axes.reshape(3, 3) @ about_z.reshape(3, 3)
    frame[:3, 3] = body.pos
    return frame


def _add_lights_and_camera(spec: mujoco.MjSpec) -> None:
    for i in range(LIGHT_SLOTS):
        spec.worldbody.add_light(name=f"light_{i}", pos=[0, 0, 2], castshadow=True, active=False)
    spec.body("gripper").add_camera(name="wrist")


def _configure_visuals(model: mujoco.MjModel, detail: Detail) -> None:
    model.stat.extent = 1.0
    # The fingers reach to within a centimetre of the lens.
    model.vis.map.znear, model.vis.map.zfar = 0.005, 12.0
    model.vis.quality.shadowsize, model.vis.quality.offsamples = detail.shadow_size, 4
    model.vis.global_.offwidth, model.vis.global_.offheight = 2048, 2048


def _class_of_geom(model: mujoco.MjModel) -> NDArray[np.uint8]:
    names = {
        "table": "table",
        "object_0": "cube",
        "object_1": "cube",
        "static_finger": "static_finger",
        "static_ray": "static_finger",
        "moving_ray": "moving_finger",
        "static_pad": "static_finger",
        "moving_finger": "moving_finger",
        "moving_pad": "moving_finger",
    }
    ids = [
        DEFAULT_CLASSES.id_of(names.get(_part(model.geom(i).name), "background"))
        for i in range(model.ngeom)
    ]
    return np.array(ids, np.uint8)


def _part(geom_name: str) -> str:
    """Name of the part that a geom belongs to: ``static_ray_3`` is of ``static_ray``."""
    return geom_name.rsplit("_", 1)[0] if "_ray_" in geom_name else geom_name
