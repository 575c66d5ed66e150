"""Options of ``wristseg render``; their docstrings are its ``--help``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from wristseg.errors import UsageError

__all__ = ["ClipName", "PresetName", "RenderConfig"]

PresetName = Literal["dataset-v0", "randomised", "lifelike", "wild", "holdout"]
ClipName = Literal["grasp", "shadow"]


@dataclass(frozen=True)
class RenderConfig:
    """Options of ``wristseg render``."""

    output: Path
    """Folder to write; it must not exist, be empty, or be given up with --overwrite."""
    preset: PresetName = "dataset-v0"
    """dataset-v0: five recordings of one arm, one cube. randomised: every burst looks different.
    lifelike: the same, nearer to what photographs show. wild: far beyond photographs.
    holdout: looks that none of them has, to measure a model on, never to train it."""
    frames: int | None = None
    """Frames to render; per clip, with --clips (default: 170 for dataset-v0, 200 for the
    others, 120 for a clip). Fewer than 170 of dataset-v0 are picked evenly."""
    frames_per_look: int | None = None
    """Frames that share arm, table, object and light, of every preset but dataset-v0 (default: 3;
    5 for holdout, 1 for wild). With 1 a model sees the most looks in the time of rendering."""
    seed: int = 0
    """Everything follows from it, whatever the number of workers."""
    workers: int | None = None
    """Processes that render (default: one per CPU core)."""
    height: int = 480
    """Height of the frames, pixels."""
    width: int = 640
    """Width of the frames, pixels."""
    exact_masks: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also write exact_masks/<stem>.png, the class of every pixel as rendered."""
    clips: tuple[ClipName, ...] = ()
    """Render moving sequences as <name>.mp4 instead of a data set: grasp, shadow."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the output folder, once the new one is complete."""

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames < 1:
            raise UsageError(f"--frames {self.frames}: expected 1 or more")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"--workers {self.workers}: expected 1 or more")
        self._check_frames_per_look()
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: expected 0 or more")
        for name in ("height", "width"):
            # 2048 is the off-screen buffer; H.264 in yuv420p needs even sides.
            if not 64 <= getattr(self, name) <= 2048 or getattr(self, name) % 2:
                raise UsageError(f"--{name} {getattr(self, name)}: expected an even 64 to 2048")
        if self.clips and self.exact_masks:
            raise UsageError("--clips and --exact-masks: masks are written beside data sets only")

    def _check_frames_per_look(self) -> None:
        given = self.frames_per_look
        if given is None:
            return
        if given < 1:
            raise UsageError(f"--frames-per-look {given}: expected 1 or more")
        if self.clips or self.preset == "dataset-v0":
            drawn = "--clips" if self.clips else "--preset dataset-v0"
            raise UsageError(
                f"--frames-per-look {given}: {drawn} has looks of its own; leave it out"
            )

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the frames in pixels."""
        return self.height, self.width
