"""Options of ``wristseg val`` and ``wristseg compare``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

from wristseg.configs import POSITIONAL
from wristseg.dataset_paths import DatasetPaths, named_parts
from wristseg.errors import UsageError

__all__ = ["CompareConfig", "DataOptions", "Side", "ValConfig"]

#: Which frames of a data set a model is measured on.
Side = Literal["auto", "val", "train", "all"]


class DataOptions(Protocol):
    """The options that say which data set is meant; None: the one the model was trained on."""

    @property
    def masks_dir(self) -> Path | None:
        """Ready-made masks to use as labels."""

    def dataset(self) -> DatasetPaths | None:
        """Return where the data set lies, or None."""


@dataclass(frozen=True)
class ValConfig:
    """Options of ``wristseg val``."""

    checkpoint: Annotated[Path, POSITIONAL]
    """Model file (.ckpt, .onnx, .xml), or weights that ship: sim, sim-84, sim-320, sim-640."""
    dataset_path: Path | None = None
    """Labelled data set to measure on; the one of the training where not given."""
    side: Side = "auto"
    """Frames to measure on; auto is the model's validation frames, or all where none are there."""
    split_file: Path | None = None
    """A split.json to take the sides from, instead of the split in the model's file."""
    masks_dir: Path | None = None
    """Compare with these ready-made PNG masks instead of the COCO file's outlines."""
    object_class: str | None = None
    """Class to judge as an object (found, missed, false, centre); cube where not given."""
    clip: tuple[Path, ...] = ()
    """Videos without labels, or folders of them, for flicker and jitter."""
    robustness: bool = False
    """Also measure under shadows, light, blur, noise, JPEG and occlusion; 40 times as long."""
    output: Path | None = None
    """Folder for report.html and metrics.json; outputs/val/<model's name> where not given."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    seed: int = 0
    """Seed of the resampling and of the corruptions."""
    selections: Path | None = None
    """Grasp marks; where not given, <dataset-path>/selections.json if it is there."""
    excluded: Path | None = None
    """Frames to leave out; where not given, <dataset-path>/excluded.json if it is there."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""

    def __post_init__(self) -> None:
        _check_data_options(self)

    def dataset(self) -> DatasetPaths | None:
        """Return where the data set lies; None for that of the training."""
        return _paths(self)


@dataclass(frozen=True)
class CompareConfig:
    """Options of ``wristseg compare``."""

    run_a: Annotated[Path, POSITIONAL]
    """Run folder or model file, or weights that ship: sim, sim-84, sim-320, sim-640."""
    run_b: Annotated[Path, POSITIONAL]
    """Run folder or model file that is compared with it."""
    dataset_path: Path | None = None
    """Labelled data set to compare on; the one of the trainings where not given."""
    side: Side = "auto"
    """Frames to compare on; auto is the validation frames, which must be the same in both."""
    split_file: Path | None = None
    """A split.json to take the sides from, instead of the splits in the models' files."""
    masks_dir: Path | None = None
    """Compare with these ready-made PNG masks instead of the COCO file's outlines."""
    object_class: str | None = None
    """Class to judge as an object; cube where not given."""
    output: Path | None = None
    """Folder for a page with the frames that differ most, and compare.json."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    seed: int = 0
    """Seed of the resampling."""
    selections: Path | None = None
    """Grasp marks; where not given, <dataset-path>/selections.json if it is there."""
    excluded: Path | None = None
    """Frames to leave out; where not given, <dataset-path>/excluded.json if it is there."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""

    def __post_init__(self) -> None:
        _check_data_options(self)

    def dataset(self) -> DatasetPaths | None:
        """Return where the data set lies; None for that of the trainings."""
        return _paths(self)


def _check_data_options(config: ValConfig | CompareConfig) -> None:
    if config.side == "all" and config.split_file is not None:
        raise UsageError("--side all and --split-file: a split does not matter to all frames")
    if config.masks_dir is not None and config.annotations is not None:
        raise UsageError("--masks-dir and --annotations: masks come from one of them, not both")
    if config.seed < 0:
        raise UsageError(f"--seed {config.seed}: expected 0 or more")
    if config.dataset_path is None:
        for name in ("selections", "excluded", "annotations", "images"):
            if getattr(config, name) is not None:
                raise UsageError(f"--{name} goes with --dataset-path: give both or neither")


def _paths(config: ValConfig | CompareConfig) -> DatasetPaths | None:
    if config.dataset_path is None:
        return None
    return named_parts(config.dataset_path, config)
