"""Off-screen pictures of the scene: colours and exact class ids.

One ``FrameRenderer`` per process: a second OpenGL context in a process broke the id picture.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import mujoco
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import DEFAULT_CLASSES
from wristseg.synth.extra import no_opengl
from wristseg.synth.scene import Group, Scene

__all__ = ["FrameRenderer"]

_BACKGROUND = DEFAULT_CLASSES.names.index("background")


class FrameRenderer:
    """Draws the scene as it stands, from its wrist camera.

    Args:
        scene: The compiled scene.
        size_hw: Height and width of the pictures in pixels.

    Raises:
        UsageError: No off-screen OpenGL can be had.
    """

    def __init__(self, scene: Scene, *, size_hw: tuple[int, int]) -> None:
        self._scene = scene
        self._rect = mujoco.MjrRect(0, 0, size_hw[1], size_hw[0])
        try:
            self._gl = mujoco.GLContext(size_hw[1], size_hw[0])
            self._gl.make_current()
        except Exception as error:  # EGL, GLFW and OSMesa each raise types of their own
            raise no_opengl(error) from error
        self._context = mujoco.MjrContext(scene.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._drawn = mujoco.MjvScene(scene.model, maxgeom=scene.model.ngeom + 64)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = scene.model.camera("wrist").id

    @property
    def texture_sizes(self) -> Mapping[str, int]:
        """Texture slot to pixels along a side."""
        return self._scene.detail.texture_sizes

    def upload_texture(self, name: str, pixels_rgb: NDArray[np.uint8]) -> None:
        """Replace a texture of the scene; ``pixels_rgb`` is (S, S, 3) of the slot's size."""
        model = self._scene.model
        texture = model.texture(name).id
        start = model.tex_adr[texture]
        model.tex_data[start : start + pixels_rgb.size] = pixels_rgb.ravel()
        mujoco.mjr_uploadTexture(model, self._context, texture)

    def color(self) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8, RGB."""
        self._update(hide=())
        self._set_flags(segment=False)
        return self._read()

    def class_ids(self, *, hide: Collection[int] = ()) -> NDArray[np.uint8]:
        """Return (H, W) uint8 class ids, with the geom groups in ``hide`` left out."""
        self._update(hide=hide)
        self._set_flags(segment=True)
        pixels = self._read().astype(np.int32)
        drawn = pixels[..., 0] | pixels[..., 1] << 8 | pixels[..., 2] << 16  # 0 is nothing
        class_of_drawn = np.full(self._drawn.ngeom + 1, _BACKGROUND, np.uint8)
        for geom in self._drawn.geoms[: self._drawn.ngeom]:
            class_of_drawn[geom.segid + 1] = self._scene.class_of_geom[geom.objid]
        return np.asarray(class_of_drawn[drawn])

    def close(self) -> None:
        """Free the OpenGL context."""
        self._context.free()
        self._gl.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _update(self, *, hide: Collection[int]) -> None:
        option = mujoco.MjvOption()
        option.geomgroup[:] = 1
        option.sitegroup[:] = 0
        for group in (Group.HIDDEN, *hide):
            option.geomgroup[group] = 0
        scene = self._scene
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            scene.model, scene.data, option, None, self._camera, every, self._drawn
        )

    def _set_flags(self, *, segment: bool) -> None:
        flags = self._drawn.flags
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = segment
        flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = segment
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = not segment
        flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False

    def _read(self) -> NDArray[np.uint8]:
        mujoco.mjr_render(self._rect, self._drawn, self._context)
        pixels = np.empty((self._rect.height, self._rect.width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._rect, self._context)
        return np.flipud(pixels)  # OpenGL's first row is the bottom one
