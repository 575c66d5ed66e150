"""Options of ``wristseg benchmark``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["BenchmarkConfig"]


@dataclass(frozen=True)
class BenchmarkConfig:
    """Options of ``wristseg benchmark``."""

    quick: bool = False
    """About a minute: few rounds, no clip and no training."""
    output: Path | None = None
    """Folder for page, plot and results.json; docs/benchmarks (in a clone), benchmarks_out
    (elsewhere) or outputs/benchmark_quick (--quick) where not given."""
    checkpoint_640: Path | None = None
    """Model at 640x480; random weights where not given, which take as long."""
    checkpoint_84: Path | None = None
    """Model at 84x84; random weights where not given."""
    dataset_path: Path = Path("data/dataset_v0")
    """Data set whose frames are predicted, drawn and trained on."""
    clip: Path = Path("data/clips/grasp.mp4")
    """Video for the overlay."""
    seed: int = 0
    """Seed of the order in which the contestants take turns."""
