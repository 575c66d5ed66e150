"""Test modules run as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["run_module"]

_ROOT = Path(__file__).parents[1]


def run_module(name: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start a module of this project with pipes; ``env`` is added to the environment."""
    environment = {**os.environ, **options.pop("env", {})}
    environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT / "src"), str(_ROOT)])
    return subprocess.Popen(
        [sys.executable, "-m", name, *map(str, arguments)],
        cwd=_ROOT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )
