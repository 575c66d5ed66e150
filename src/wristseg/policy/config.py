"""Options of ``wristseg obs-check``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from wristseg.configs import POSITIONAL
from wristseg.errors import UsageError

__all__ = ["ObsCheckConfig"]


@dataclass(frozen=True)
class ObsCheckConfig:
    """Options of ``wristseg obs-check``."""

    checkpoint: Annotated[Path, POSITIONAL]
    """Model file: .ckpt, or .onnx or .xml of wristseg export, or sim, sim-84, sim-320, sim-640."""
    frame: tuple[Path, ...] = ()
    """Camera images, oldest first; those of the golden file where not given."""
    golden: Path | None = None
    """Golden file to compare with; any difference is an error."""
    write_golden: Path | None = None
    """Write the arrays of every stage into this .npz, for other repositories to compare with."""
    observation: Path | None = None
    """YAML file with a contract to check instead of the model's own."""
    tolerance: float = 0.0
    """Share of the predicted pixels that may differ from the golden file's masks; another runtime
    or processor may round a few the other way. What follows the masks has to be equal."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""

    def __post_init__(self) -> None:
        if not self.frame and self.golden is None:
            raise UsageError("--frame and --golden: give at least one of them")
        if self.golden is not None and self.write_golden is not None:
            raise UsageError("--golden and --write-golden: compare or write, not both")
        if self.write_golden is not None and self.write_golden.suffix != ".npz":
            raise UsageError(f"--write-golden {self.write_golden}: expected a name ending in .npz")
        if not 0.0 <= self.tolerance < 1.0:
            raise UsageError(f"--tolerance {self.tolerance}: expected a share from 0 to below 1")
