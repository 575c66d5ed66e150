"""Put a look and a pose into the scene's arrays: colours, sizes, lights, camera, object.

Called by ``worker`` before each picture. Nothing is recompiled.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from wristseg.synth.look import RGB, LightLook, Look, MountLook, ObjectLook, Shape, SurfaceLook
from wristseg.synth.poses import Pose, camera_on_gripper, set_joints
from wristseg.synth.renderer import FrameRenderer
from wristseg.synth.scene import CLUTTER_SLOTS, LIGHT_SLOTS, Group, Scene
from wristseg.synth.textures import paint

__all__ = ["apply_look", "apply_pose", "upload_surfaces"]

_GEOM_TYPES: dict[Shape, mujoco.mjtGeom] = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
}


def apply_look(scene: Scene, look: Look) -> None:
    """Set colours, sizes, lights and the camera's mount."""
    _set_table_and_room(scene, look)
    scene.fit_fingers(soft=look.soft_fingers)
    _set_arm_colors(scene, look)
    _set_object_shape(scene, look.obj)
    _set_clutter(scene, look)
    _set_mount(scene, look.mount)
    headlight = scene.model.vis.headlight
    headlight.ambient[:], headlight.diffuse[:] = look.ambient, look.headlight
    headlight.specular[:] = 0.05


def upload_surfaces(renderer: FrameRenderer, look: Look) -> None:
    """Paint the look's textures and hand them to the renderer."""
    jaw = SurfaceLook("layers", (1, 1, 1), (0.8, 0.8, 0.8), 0.5)
    surfaces = {
        "table": look.table.surface,
        "floor": look.floor,
        "wall": look.wall,
        "arm": look.arm,
        "jaw": jaw,
        "object": look.obj.surface,
        "clutter": look.clutter_surface,
    }
    for name, surface in surfaces.items():
        renderer.upload_texture(name, paint(surface, renderer.texture_sizes[name]))


def apply_pose(scene: Scene, look: Look, pose: Pose) -> None:
    """Move the arm and the object, and aim the lamps at the fingertips."""
    model, body = scene.model, scene.body("object")
    group = Group.HIDDEN if pose.object_pos is None else Group.OBJECT
    for i in range(len(look.obj.solids)):
        model.geom_group[scene.geom(f"object_{i}")] = group
    if pose.object_pos is not None:
        model.body_pos[body], model.body_quat[body] = pose.object_pos, pose.object_quat
    set_joints(scene, pose.joints)
    tip = scene.data.site("gripperframe").xpos
    _set_lights(scene, look.lights, aim=np.array([tip[0], tip[1], max(0.0, 0.5 * tip[2])]))
    mujoco.mj_camlight(model, scene.data)


def _set_table_and_room(scene: Scene, look: Look) -> None:
    model, table = scene.model, look.table
    _place(
        scene, "table", (*table.center_xy, -table.thickness), (*table.half_size_xy, table.thickness)
    )
    model.body_quat[scene.body("table")] = (np.cos(table.yaw / 2), 0, 0, np.sin(table.yaw / 2))
    model.geom_group[scene.geom("table")] = Group.SURROUNDINGS if table.present else Group.HIDDEN
    _place(scene, "floor", (0, 0, look.floor_z), (4, 4, 0.01))
    far = look.wall_distance
    for i, (x, y) in enumerate(((far, 0), (-far, 0), (0, far), (0, -far))):
        half = (0.01 if x else far, 0.01 if y else far, 2.0)
        _place(scene, f"wall_{i}", (x, y, look.floor_z + 2.0), half)
    surfaces = {
        "table": table.surface,
        "floor": look.floor,
        "wall": look.wall,
        "clutter": look.clutter_surface,
    }
    for name, surface in surfaces.items():
        material = model.material(name).id
        model.mat_texrepeat[material] = 1.0 / surface.tile_m
        model.mat_specular[material] = surface.specular


def _place(
    scene: Scene, name: str, position: tuple[float, ...], half_size: tuple[float, ...]
) -> None:
    scene.model.body_pos[scene.body(name)] = position
    scene.model.geom_size[scene.geom(name)] = half_size


def _set_arm_colors(scene: Scene, look: Look) -> None:
    model = scene.model
    for geom in range(model.ngeom):
        name = model.geom(geom).name
        if name == "static_finger" or name.startswith("static_ray"):
            _color(scene, geom, look.jaw_rgb)
        elif name == "moving_finger" or name.startswith("moving_ray"):
            _color(scene, geom, look.moving_jaw_rgb)
        elif (
            model.geom_group[geom] == Group.ARM
            and model.geom_matid[geom] != model.material("arm").id
        ):
            _color(scene, geom, look.motor_rgb)
    for name in ("arm", "jaw"):
        material = model.material(name).id
        model.mat_texrepeat[material] = 1.0 / 0.02  # a tile of 24 print layers is 2 cm
        model.mat_specular[material], model.mat_shininess[material] = look.arm.specular, 0.3
    for name in ("static_pad", "moving_pad"):
        geom = scene.geom(name)
        model.geom_group[geom] = Group.HIDDEN if look.pad_rgb is None else Group.FINGERS
        _color(scene, geom, look.pad_rgb or (0, 0, 0))


def _color(scene: Scene, geom: int, rgb: RGB) -> None:
    scene.model.geom_rgba[geom] = (*rgb, 1.0)


def _set_object_shape(scene: Scene, obj: ObjectLook) -> None:
    model = scene.model
    for i in range(2):
        geom = scene.geom(f"object_{i}")
        if i >= len(obj.solids):
            model.geom_group[geom] = Group.HIDDEN
            continue
        solid = obj.solids[i]
        model.geom_type[geom] = _GEOM_TYPES[solid.shape]
        model.geom_size[geom] = _mujoco_size(solid.shape, solid.half_size)
        model.geom_pos[geom] = solid.offset
        model.geom_group[geom] = Group.OBJECT
        _color(scene, geom, obj.colors[i])
    material = model.material("object").id
    model.mat_texrepeat[material] = 1.0 / obj.surface.tile_m
    model.mat_specular[material] = obj.surface.specular


def _mujoco_size(shape: Shape, half: tuple[float, float, float]) -> tuple[float, float, float]:
    """Half extents to MuJoCo's size, which for round shapes is (radius, half length)."""
    return (half[0], half[2], 0.0) if shape in {"cylinder", "capsule"} else half


def _set_clutter(scene: Scene, look: Look) -> None:
    model = scene.model
    for i in range(CLUTTER_SLOTS):
        geom, body = scene.geom(f"clutter_{i}"), scene.body(f"clutter_{i}")
        if i >= len(look.clutter):
            model.geom_group[geom] = Group.HIDDEN
            continue
        thing = look.clutter[i]
        model.geom_group[geom] = Group.SURROUNDINGS
        model.geom_type[geom] = _GEOM_TYPES[thing.shape]
        model.geom_size[geom] = _mujoco_size(thing.shape, thing.half_size)
        model.body_pos[body], model.body_quat[body] = thing.position, thing.quat
        _color(scene, geom, thing.rgb)


def _set_mount(scene: Scene, mount: MountLook) -> None:
    model, camera = scene.model, scene.model.camera("wrist").id
    axes, position = camera_on_gripper(mount)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, axes.ravel())
    model.cam_quat[camera], model.cam_pos[camera] = quat, position
    model.cam_fovy[camera] = mount.fovy_deg


def _set_lights(scene: Scene, lights: tuple[LightLook, ...], *, aim: NDArray[np.float64]) -> None:
    model = scene.model
    lamps = [lamp for light in lights for lamp in _lamps(light)]
    for slot in range(LIGHT_SLOTS):
        model.light_active[slot] = slot < len(lamps)
        if slot >= len(lamps):
            continue
        position, light, share = lamps[slot]
        direction = aim - position
        model.light_pos[slot] = position
        model.light_dir[slot] = direction / np.linalg.norm(direction)
        model.light_diffuse[slot] = np.asarray(light.rgb) * share
        model.light_ambient[slot], model.light_specular[slot] = 0.0, 0.3 * share
        model.light_cutoff[slot], model.light_exponent[slot] = light.cutoff_deg, 0.0
        model.light_castshadow[slot] = light.casts


def _lamps(light: LightLook) -> list[tuple[NDArray[np.float64], LightLook, float]]:
    """Split a wide lamp into several small ones around its centre."""
    center = np.asarray(light.position)
    if light.spread == 0.0:
        return [(center, light, 1.0)]
    angles = 2 * np.pi * np.arange(light.samples) / light.samples
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1)
    return [(center + light.spread * offset, light, 1.0 / light.samples) for offset in ring]
