"""Test beside the real lerobot package, in an environment of its own.

Data sets that it made get masks, its reader gives them back, its loader finds the plugin. lerobot
pins other versions of PyTorch and needs Python 3.12 or newer, so it is in no group of this project.
The environment is made once and used again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import tyro

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-lerobot"
PLUGIN = "packages/lerobot_camera_wristseg"
LEROBOT = "lerobot[dataset]==0.6.1"
VERSIONS = ("3.12", "3.13")


def main(pytest: tyro.conf.Positional[tuple[str, ...]] = (), *, fresh: bool = False) -> int:
    """Install lerobot beside wristseg and the plugin, and run the plugin's tests there.

    Args:
        pytest: Further arguments for pytest, after ``--``.
        fresh: Make the environment anew.
    """
    if fresh:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    python = str(ENVIRONMENT / "bin" / "python")
    if not Path(python).exists():
        _call("uv", "venv", "--quiet", "--python", _suitable_python(), str(ENVIRONMENT))
    wanted = ["-e", ".[lerobot]", "-e", PLUGIN, LEROBOT, "pytest", "pytest-timeout", "pytest-xdist"]
    _call("uv", "pip", "install", "--quiet", "--python", python, *wanted)
    # Their warnings are not ours, and nothing may ask the hub for a data set.
    options = ("-n", "0", "-o", "filterwarnings=default", "--disable-warnings")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [python, "-m", "pytest", *options, f"{PLUGIN}/tests", *pytest]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _call(*command: str) -> None:
    # An environment that is active must not take the place of the one that is named.
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _suitable_python() -> str:
    """Return an interpreter that is installed, else a version for uv to look for, or to fetch."""
    for candidate in _candidates():
        # pyenv's shims are there for versions that are not switched on, and fail.
        done = subprocess.run([candidate, "-c", ""], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return VERSIONS[0]


def _candidates() -> Iterator[str]:
    for version in VERSIONS:
        found = shutil.which(f"python{version}")
        if found is not None:
            yield found
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
