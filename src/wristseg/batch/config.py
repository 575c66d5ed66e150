"""Options of ``wristseg label``; their docstrings are ``--help``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from wristseg.errors import UsageError

__all__ = ["LabelConfig", "MaskFormat"]

MaskFormat = Literal["video", "rle"]

_Inputs = Annotated[
    tuple[str, ...], tyro.conf.arg(metavar="INPUT...", help_behavior_hint="(required)")
]


@dataclass(frozen=True)
class LabelConfig:
    """Options of ``wristseg label``."""

    inputs: tyro.conf.Positional[_Inputs]
    """Videos, images, folders of them, globs in quotes, LeRobot data sets; paths or addresses such
    as s3://bucket/clips/*.mp4."""
    output: str
    """Folder for masks and index.jsonl, or an address; what an earlier run finished there is
    kept."""
    checkpoint: str
    """Model file, at the same path on every machine, or weights that ship: sim, sim-84, sim-320,
    sim-640."""
    masks: MaskFormat = "video"
    """video: lossless, FFV1 in Matroska (images: PNG). rle: run lengths, one line of JSON per
    frame."""
    coco: bool = False
    """Also write COCO files for review: one per video, images.coco.json for all images."""
    camera: str | None = None
    """Camera of LeRobot data sets, by its whole name or the last part of it; where not given, the
    only one, or the only one with wrist in its name."""
    workers: int | None = None
    """Worker processes, or actors with --engine ray; as many as there are cores where not given,
    and 0 for none: everything in this process, to look for faults."""
    shard: str | None = None
    """Label the i-th of n parts of the inputs, such as 1/4: one part per machine, one shared
    folder."""
    engine: Literal["local", "ray"] = "local"
    """local: worker processes on this machine. ray: Ray Data (pip install "wristseg[ray]")."""
    address: str | None = None
    """With --engine ray: a cluster that runs, such as auto or ray://head:10001; where not given,
    Ray is started on this machine."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    attempts: int = 3
    """An input that fails, or ends its worker, so many times is put into quarantine."""
    timeout_s: float = 600.0
    """A local worker that finishes no frame for so many seconds is ended, which counts as an
    attempt."""
    retry_quarantined: bool = False
    """Try again what earlier runs put into quarantine."""
    verify: bool = False
    """Hold finished outputs against their SHA-256 and make damaged ones again; without it their
    sizes are looked at."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise UsageError("no input: give videos, images, folders of them, or globs in quotes")
        if "" in self.inputs or not self.output:  # of a variable that is not set: this folder
            raise UsageError("an input or --output is empty; write . for the current folder")
        if self.output.startswith("memory://") and self.workers != 0:
            raise UsageError(
                f"--output {self.output}: every worker process has a memory of its own; "
                "expected a folder or a store that all of them reach, or --workers 0"
            )
        least = 1 if self.engine == "ray" else 0
        if self.workers is not None and self.workers < least:
            raise UsageError(f"--workers {self.workers}: expected {least} or more")
        if self.address is not None and self.engine != "ray":
            raise UsageError("--address is Ray's: add --engine ray")
        if self.attempts < 1:
            raise UsageError(f"--attempts {self.attempts}: expected 1 or more")
        if not 0 < self.timeout_s < float("inf"):
            raise UsageError(f"--timeout-s {self.timeout_s}: expected above 0")
        self.part  # noqa: B018 - raises where it cannot be read

    @property
    def part(self) -> tuple[int, int]:
        """Number of the part, from 0, and number of parts.

        Raises:
            UsageError: ``shard`` is none.
        """
        if self.shard is None:
            return 0, 1
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", self.shard)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"--shard {self.shard}: expected i/n, from 1/n to n/n")
        return int(match[1]) - 1, int(match[2])
