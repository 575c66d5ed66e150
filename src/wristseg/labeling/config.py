"""Options of the commands that gather and label frames; their docstrings are ``--help``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from wristseg.configs import POSITIONAL
from wristseg.dataset_paths import NamesParts
from wristseg.errors import UsageError

__all__ = [
    "FramesConfig",
    "MergeConfig",
    "Order",
    "PreannotateConfig",
    "PseudoLabelConfig",
    "QaConfig",
    "SuggestConfig",
]

#: What a frame is worth to ``wristseg suggest``.
Order = Literal["both", "uncertainty", "diversity"]
_EPISODES = re.compile(r"\d{1,9}(:\d{1,9})?(,\d{1,9}(:\d{1,9})?)*")

_Inputs = Annotated[
    tuple[str, ...], tyro.conf.arg(metavar="INPUT...", help_behavior_hint="(required)")
]

_Datasets = Annotated[
    tuple[Path, ...], tyro.conf.arg(metavar="DATASET...", help_behavior_hint="(required)")
]


@dataclass(frozen=True)
class FramesConfig:
    """Options of ``wristseg frames``."""

    inputs: tyro.conf.Positional[_Inputs]
    """Videos, folders of them, or globs in quotes; with --lerobot folders of data sets."""
    output: Path
    """Folder for the frames; it must not exist, be empty, or be given up with --overwrite."""
    every: int | None = None
    """Take the first frame and every so many after it."""
    seconds: float | None = None
    """Take a frame each time so many seconds have passed; half a second where neither this nor
    --every nor --pick is given."""
    pick: int | None = None
    """Of the frames that --every or --seconds takes (of all, without them), take at most so many,
    over all videos, that differ most from each other."""
    image_format: Literal["jpg", "png"] = "jpg"
    """How frames are stored."""
    lerobot: bool = False
    """The inputs are LeRobot data sets: take frames of one camera, each episode a recording."""
    camera: str | None = None
    """With --lerobot: the camera, by its whole name or the last part of it; where not given, the
    only one, or the only one with wrist in its name."""
    episodes: str | None = None
    """With --lerobot: only these episodes, such as 0:10 (0 to 9) or 3,7,12:15."""
    overwrite: bool = False
    """Replace what an earlier run left in the output folder."""

    def __post_init__(self) -> None:
        _require_inputs(self.inputs)
        for name in ("camera", "episodes"):
            if getattr(self, name) is not None and not self.lerobot:
                raise UsageError(f"--{name} is for LeRobot data sets: add --lerobot")
        if self.episodes is not None and not _EPISODES.fullmatch(self.episodes):
            raise UsageError(f"--episodes {self.episodes}: expected such as 0:10 or 3,7,12:15")
        if self.every is not None and self.seconds is not None:
            raise UsageError("--every and --seconds: frames are taken by one of them, not both")
        for name in ("every", "pick"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name} {value}: expected 1 or more")
        if self.seconds is not None and not 0.0 < self.seconds < float("inf"):
            raise UsageError(f"--seconds {self.seconds}: expected above 0")


@dataclass(frozen=True)
class MergeConfig:
    """Options of ``wristseg merge``."""

    datasets: tyro.conf.Positional[_Datasets]
    """Folders of COCO data sets and exports, at least two; each layout is found by itself."""
    output: Path
    """Folder for the new data set; it must not exist, be empty, or be given up with --overwrite."""
    prefer: Literal["last"] | None = None
    """Where two data sets label an image in different ways: take the labels of the one that was
    given last. Without it, such images are an error that lists them."""
    overwrite: bool = False
    """Replace what an earlier run left in the output folder."""

    def __post_init__(self) -> None:
        if len({path.resolve() for path in self.datasets}) < 2:
            raise UsageError("merge: expected at least two different folders of data sets")


@dataclass(frozen=True)
class PseudoLabelConfig:
    """Options of ``wristseg pseudo-label``."""

    inputs: tyro.conf.Positional[_Inputs]
    """Unlabelled videos, images, folders of them, or globs in quotes."""
    checkpoint: Path
    """Model file (best.ckpt), or weights that ship: sim, sim-84, sim-320, sim-640."""
    output: Path
    """Folder for the new data set; it must not exist, be empty, or be given up with --overwrite."""
    confidence: float = 0.9
    """Pixels of which the model is less sure than this (0 to 1) are marked to be ignored."""
    least_share: float = 0.5
    """Frames are left out if less than this share of their pixels, 0 to 1, gets a class."""
    every: int = 5
    """Of a video, take the first frame and every so many after it."""
    image_format: Literal["jpg", "png"] = "jpg"
    """How frames of videos are stored; images are copied as they are."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    overwrite: bool = False
    """Replace what an earlier run left in the output folder."""

    def __post_init__(self) -> None:
        _require_inputs(self.inputs)
        for name in ("confidence", "least_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(
                    f"--{name.replace('_', '-')} {getattr(self, name)}: expected 0 to 1"
                )
        if self.every < 1:
            raise UsageError(f"--every {self.every}: expected 1 or more")


@dataclass(frozen=True)
class PreannotateConfig:
    """Options of ``wristseg preannotate``."""

    inputs: tyro.conf.Positional[_Inputs]
    """Images, folders of them, or globs in quotes."""
    checkpoint: Path
    """Model file (.ckpt, .onnx, .xml), or weights that ship: sim, sim-84, sim-320, sim-640."""
    output: Path
    """Folder for the files; it must not exist, be empty, or be given up with --overwrite."""
    format: Literal["coco", "label-studio"] = "coco"
    """coco: for CVAT, Roboflow and others. label-studio: tasks with predictions."""
    shape: Literal["polygon", "rle"] = "polygon"
    """Polygons, one per connected region, or the pixels themselves (brush masks)."""
    tolerance: float = 1.0
    """How far polygons may lie from the masks, pixels: fewer corners to drag; 0 is exact."""
    image_prefix: str = "/data/local-files/?d=images/"
    """What stands before an image's name in Label Studio's tasks: its storage, or an address."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    overwrite: bool = False
    """Replace what an earlier run left in the output folder."""

    def __post_init__(self) -> None:
        _require_inputs(self.inputs)
        if not 0.0 <= self.tolerance <= 100.0:
            raise UsageError(f"--tolerance {self.tolerance}: expected 0 to 100 pixels")


@dataclass(frozen=True)
class SuggestConfig:
    """Options of ``wristseg suggest``."""

    inputs: tyro.conf.Positional[_Inputs]
    """Unlabelled videos, images, folders of them, or globs in quotes."""
    checkpoint: Path
    """Model file (best.ckpt), or weights that ship: sim, sim-84, sim-320, sim-640."""
    output: Path
    """Folder for the frames; it must not exist, be empty, or be given up with --overwrite."""
    labelled: Path | None = None
    """Data set that is labelled already: frames that look like its frames are not suggested."""
    count: int = 40
    """Most frames to suggest."""
    per_recording: int = 10
    """Most frames of one recording."""
    order: Order = "both"
    """Choose by uncertainty times distance from what is labelled (both), or by one of them alone:
    the model's uncertainty, or diversity."""
    every: int = 5
    """Of a video, look at the first frame and every so many after it."""
    image_format: Literal["jpg", "png"] = "jpg"
    """How frames of videos are stored; images are copied as they are."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    overwrite: bool = False
    """Replace what an earlier run left in the output folder."""

    def __post_init__(self) -> None:
        _require_inputs(self.inputs)
        for name in ("count", "per_recording", "every"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)}: expected >= 1")


@dataclass(frozen=True)
class QaConfig(NamesParts):
    """Options of ``wristseg qa``."""

    dataset_path: Annotated[Path, POSITIONAL]
    """Folder of the labelled data set."""
    checkpoint: Path | None = None
    """Judge by this model (best.ckpt), or by weights that ship: sim, sim-84, sim-320, sim-640.
    Where not given, models are trained, each to judge frames that it did not see."""
    output: Path | None = None
    """Folder for qa.html, qa.json and the models; outputs/qa/<data set's name> where not given."""
    top: int = 40
    """Frames of the ranking that are shown with pictures."""
    folds: int | None = None
    """Models to train; five where not given, or as many as there are recordings."""
    split_by: Literal["recording", "frame"] = "recording"
    """Judge each recording by a model of the others, or each frame by a model of the others."""
    epochs: int = 30
    """Epochs that each model is trained."""
    img_height: int = 84
    """Height of the networks' input, pixels."""
    img_width: int = 84
    """Width of the networks' input, pixels."""
    batch_size: int = 16
    """Frames per training step."""
    pretrained: str = "auto"
    """Start weights: imagenet, sim, none, a checkpoint's path, or auto (imagenet, else sim)."""
    seed: int = 42
    """Seed of the trainings."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    selections: Path | None = None
    """Grasp marks; where not given, <dataset-path>/selections.json if it is there."""
    excluded: Path | None = None
    """Frames marked as excluded; they are looked at like all others, and told in the page. Where
    not given, <dataset-path>/excluded.json if it is there."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""

    def __post_init__(self) -> None:
        if self.checkpoint is not None and self.folds is not None:
            raise UsageError("--checkpoint and --folds: one model judges all, or folds are trained")
        if self.folds is not None and self.folds < 2:
            raise UsageError(f"--folds {self.folds}: expected 2 or more")
        if self.epochs < 1 or self.top < 1:
            raise UsageError("--epochs and --top: expected 1 or more")

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        return self.output or Path("outputs/qa") / self.dataset_path.resolve().name


def _require_inputs(inputs: tuple[str, ...]) -> None:
    if not inputs:
        raise UsageError("no input: give videos, images, folders of them, or globs in quotes")
