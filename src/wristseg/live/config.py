"""Options of ``wristseg live``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wristseg.errors import UsageError

__all__ = ["LiveConfig"]

_MAX_SIDE = 16384


@dataclass(frozen=True)
class LiveConfig:
    """Options of ``wristseg live``."""

    checkpoint: Path
    """Model file (best.ckpt, an export), or weights that ship: sim, sim-84, sim-320, sim-640."""
    camera: str = "0"
    """A device (0, /dev/video0), an address (http://, rtsp://), or a video that is played as if it
    were filmed now."""
    hz: float | None = None
    """Ticks per second of the loop, whose period all limits count in; where not given, --fps, else
    the file's own rate, else 30."""
    fps: float | None = None
    """Frames per second to ask a device for, or to play a file at instead of its own rate."""
    size: str | None = None
    """Frames to ask a device for, HEIGHTxWIDTH such as 480x640."""
    loop: bool = False
    """Play a file again and again."""
    frames: int | None = None
    """End after so many ticks, not counting the warm-up."""
    seconds: float | None = None
    """End after so many seconds."""
    device: str = "auto"
    """Where the network runs: cpu, cuda, cuda:N, mps, or auto."""
    threads: int | None = None
    """Threads of one frame; all cores where not given."""
    on_fault: Literal["raise", "hold", "empty"] = "raise"
    """Without a new mask: hold shows the last one, empty class 0; raise holds, and ends the loop at
    the third such tick in a row."""
    reconnect: float | None = None
    """Seconds to wait for a camera that is gone; no longer than the watchdog where not given."""
    stale_periods: float = 2.0
    """Age, in periods, from which on a mask is stale."""
    watchdog_periods: float = 5.0
    """Periods without a new mask after which the loop ends."""
    freeze_frames: int | None = 5
    """Frames of equal bytes that count as a frozen camera; None to believe them."""
    filter: Literal["auto", "on", "off"] = "auto"
    """Steady the masks over time, up to a frame late; auto is on where they are looked at (--rerun,
    --save-rrd) and nowhere else."""
    reference: Path | None = None
    """Masks of good frames, a folder of PNGs or a mask video: warn when a class covers much more or
    less of the frame."""
    rerun: bool = False
    """Show frames, masks and figures in Rerun's viewer."""
    save_rrd: Path | None = None
    """Write the same into an .rrd file, for later."""
    record: Path | None = None
    """Write masks into a lossless mask video (.mkv), ids and ages into a .jsonl beside it."""
    report: Path | None = None
    """Write latency, ages, misses, drops and statuses into this JSON file."""
    overwrite: bool = False
    """Replace recordings and reports of these names that are there already."""
    warm_up: int = 50
    """Masks at the beginning that the figures leave out."""

    def __post_init__(self) -> None:
        for name in ("hz", "fps", "seconds", "reconnect"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise UsageError(f"--{name} {value:g}: expected more than 0")
        for name in ("frames", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} {value}: expected 1 or more")
        if self.warm_up < 0:
            raise UsageError(f"--warm-up {self.warm_up}: expected 0 or more")
        for option, path, suffix in (
            ("--record", self.record, ".mkv"),
            ("--save-rrd", self.save_rrd, ".rrd"),
            ("--report", self.report, ".json"),
        ):
            if path is not None and path.suffix.lower() != suffix:
                raise UsageError(f"{option} {path}: expected a name that ends in {suffix}")
        if self.rerun and self.save_rrd is not None:
            raise UsageError("--rerun and --save-rrd: give one; the viewer saves what it shows")
        _ = self.size_hw

    @property
    def size_hw(self) -> tuple[int, int] | None:
        """Height and width to ask the camera for."""
        if self.size is None:
            return None
        said = re.fullmatch(r"(\d{1,5})x(\d{1,5})", self.size)
        if said is None:
            raise UsageError(f"--size {self.size}: expected HEIGHTxWIDTH such as 480x640")
        height, width = int(said[1]), int(said[2])
        if not (1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
            raise UsageError(f"--size {self.size}: expected 1 to {_MAX_SIDE} pixels a side")
        return height, width

    @property
    def filtered(self) -> bool:
        """Whether masks are filtered."""
        watched = self.rerun or self.save_rrd is not None
        return self.filter == "on" or (self.filter == "auto" and watched)
