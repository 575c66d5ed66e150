"""Options of the command that writes masks into a LeRobot data set; docstrings are ``--help``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from wristseg.configs import POSITIONAL
from wristseg.errors import UsageError

__all__ = ["LerobotMasksConfig"]


@dataclass(frozen=True)
class LerobotMasksConfig:
    """Options of ``wristseg lerobot-masks``."""

    dataset: Annotated[Path, POSITIONAL]
    """Folder of a LeRobot data set (format v2.0, v2.1 or v3.0); it is only read."""
    checkpoint: Path
    """Model file (.ckpt, .onnx, .xml), or weights that ship: sim, sim-84, sim-320, sim-640."""
    output: Path
    """Folder for the data set with masks; it must not exist, be empty, or be given up with
    --overwrite."""
    camera: str | None = None
    """Camera to segment, by its whole name or the last part of it; where not given, the only
    camera, or the only one with wrist in its name."""
    name: str | None = None
    """Name of the mask camera; <camera>_mask where not given."""
    link: bool = False
    """Hard-link the source's videos and data instead of copying them: no space is taken, and
    whoever changes one of the files in place changes it in both data sets."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    overwrite: bool = False
    """Replace what an earlier run left in the output folder."""

    def __post_init__(self) -> None:
        # The name becomes a folder, and a column in which / has a meaning.
        if self.name is not None and not re.fullmatch(
            r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", self.name
        ):
            raise UsageError(
                f"--name {self.name}: expected letters, digits, _, - and single dots, such as "
                "observation.images.wrist_mask"
            )
