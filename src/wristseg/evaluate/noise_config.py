"""Options of ``wristseg mask-noise``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from wristseg.configs import POSITIONAL
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import UsageError
from wristseg.evaluate.config import Side

__all__ = ["MaskNoiseConfig"]


@dataclass(frozen=True)
class MaskNoiseConfig:
    """Options of ``wristseg mask-noise``."""

    checkpoint: Annotated[Path, POSITIONAL]
    """Model file: .ckpt, or .onnx or .xml of wristseg export, or sim, sim-84, sim-320, sim-640."""
    dataset_path: Path | None = None
    """Labelled data set whose frames show the errors; the one of the training where not given."""
    side: Side = "auto"
    """Frames to fit on; auto is the model's validation frames, or all where none are there."""
    masks_dir: Path | None = None
    """Take these ready-made PNG masks for the truth, for example exact ones of wristseg render."""
    clip: tuple[Path, ...] = ()
    """Videos without labels, or folders of them, for how long errors last; one frame without."""
    output: Path = Path("outputs/mask_noise.json")
    """JSON file of the noise; the plot and a picture of masks go beside it as PNG files."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    seed: int = 0
    """Seed of the errors that are made for the comparison."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: expected 0 or more")
        if self.output.suffix != ".json":
            raise UsageError(f"--output {self.output}: expected a name that ends with .json")

    def dataset(self) -> DatasetPaths | None:
        """Return where the data set lies; None for that of the training."""
        return None if self.dataset_path is None else DatasetPaths(self.dataset_path)
