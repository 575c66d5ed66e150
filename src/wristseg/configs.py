"""Configuration of each command: frozen dataclasses whose attribute docstrings are ``--help``.

One class per command, read by one stage; no class sees another's. Off is ``None``. Options that
contradict each other are refused in ``__post_init__``, naming both. Stages that are a package of
their own keep theirs in its ``config.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from wristseg.dataset_paths import NamesParts
from wristseg.errors import UsageError
from wristseg.recipes import Levers

__all__ = [
    "BenchmarkConfig",
    "CheckConfig",
    "DemoConfig",
    "ExportConfig",
    "InfoConfig",
    "MasksConfig",
    "PredictConfig",
    "ReviewConfig",
    "TrainConfig",
]


#: Marks the option that is given without its name (``cli.options``).
POSITIONAL = "positional"


@dataclass(frozen=True)
class MasksConfig(NamesParts):
    """Options of ``wristseg masks``."""

    dataset_path: Path
    """Folder of the COCO export (CVAT, Roboflow and SALT layouts are found by themselves)."""
    output_dir: Path | None = None
    """Where <stem>.png masks go; <dataset-path>/masks where not given."""
    selections: Path | None = None
    """Grasp marks; where not given, <dataset-path>/selections.json if it is there."""
    excluded: Path | None = None
    """Frames to leave out; where not given, <dataset-path>/excluded.json if it is there."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""
    viz_dir: Path | None = None
    """Also write frame-and-mask overlays here, to look at."""


@dataclass(frozen=True)
class CheckConfig(NamesParts):
    """Options of ``wristseg check``."""

    dataset_path: Annotated[Path, POSITIONAL]
    """Folder of the COCO export."""
    output: Path | None = None
    """HTML page to write; outputs/check/<dataset name>.html where not given."""
    selections: Path | None = None
    """Grasp marks; where not given, <dataset-path>/selections.json if it is there."""
    excluded: Path | None = None
    """Frames to leave out; where not given, <dataset-path>/excluded.json if it is there."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""
    seed: int = 42
    """Seed of the train/validation split whose leaks are looked for."""
    split_by: Literal["frame", "recording"] = "frame"
    """How that split is drawn, as in wristseg train."""


@dataclass(frozen=True)
class ReviewConfig(NamesParts):
    """Options of ``wristseg review``."""

    dataset_path: Annotated[Path, POSITIONAL]
    """Folder of the data set."""
    checkpoint: Path | None = None
    """Model whose masks are laid beside the labels: best.ckpt, an export, or sim, sim-84, sim-320,
    sim-640."""
    port: int = 0
    """Port to listen on; 0 for any that is free."""
    no_open: bool = False
    """Only print the page's address, and open no browser."""
    selections: Path | None = None
    """Grasp marks; <dataset-path>/selections.json where not given, made with the first mark."""
    excluded: Path | None = None
    """Frames to leave out; <dataset-path>/excluded.json where not given, made likewise."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""
    host: str = "127.0.0.1"
    """Address to listen on; any but 127.0.0.1 needs --allow-remote."""
    allow_remote: bool = False
    """Let other machines reach the page, at the address of --host."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port {self.port}: expected 0 to 65535")
        if self.host != "127.0.0.1" and not self.allow_remote:
            raise UsageError(
                f"--host {self.host}: other machines could reach it; add --allow-remote"
            )
        import ipaddress  # no other command needs it

        try:
            address = ipaddress.ip_address(self.host)
        except ValueError as error:
            raise UsageError(f"--host {self.host}: expected an IP address") from error
        if address.is_unspecified:
            # The page's address is checked with each request, so it has to be known.
            raise UsageError(f"--host {self.host}: give one address of this machine")


@dataclass(frozen=True)
class _TrainInput:
    """What a training reads, and at which size; first in ``--help``."""

    dataset_path: Path
    """Data set: a COCO export, or images with ready-made id masks in <dataset-path>/masks."""
    img_height: int = 480
    """Height of the network's input, pixels."""
    img_width: int = 640
    """Width of the network's input, pixels."""


@dataclass(frozen=True)
class TrainConfig(Levers, _TrainInput, NamesParts):
    """Options of ``wristseg train``; the defaults are the recipe of the project's request.

    Another recipe: ``TrainConfig(path, **recipe_options("robust"))``.
    """

    epochs: int = 100
    """Most epochs to train."""
    batch_size: int = 4
    """Frames per step and device."""
    output_dir: Path = Path("outputs/efficientvit_seg")
    """Run folder; an earlier run in it is moved into its archive/ folder, never overwritten."""
    weight_decay: float = 1e-4
    """Weight decay of AdamW."""
    patience: int = 20
    """Stop after this many epochs without a better val/iou."""
    pretrained: str = "auto"
    """Start weights: imagenet, none, a checkpoint's path, weights that ship (sim: those whose size
    is nearest; or sim-84, sim-320, sim-640), or auto (imagenet, else sim)."""
    crop: Literal["none", "center-square"] = "none"
    """What is cut from a frame before it is resized."""
    observation: Path | None = None
    """YAML file of what a policy sees of the masks (docs/how-to/policy-observation.md)."""
    selections: Path | None = None
    """Grasp marks; where not given, <dataset-path>/selections.json if it is there."""
    excluded: Path | None = None
    """Frames to leave out; where not given, <dataset-path>/excluded.json if it is there."""
    annotations: Path | None = None
    """COCO file, where the layout is none of the known ones; needs --images."""
    images: Path | None = None
    """Image folder that belongs to --annotations."""
    masks_dir: Path | None = None
    """Train on these ready-made PNG masks instead of drawing them from the COCO file."""
    num_classes: int | None = None
    """Number of classes; must equal that of the data set's class table, where given."""
    val_fraction: float = 0.15
    """Share of the frames that is held out for validation."""
    split_by: Literal["frame", "recording"] = "frame"
    """Draw single frames, or keep each recording on one side."""
    seed: int = 42
    """Seed of the split, the shuffle, the augmentation and new weights."""
    num_workers: int = 0
    """Loader processes; 0 suits two cores, as decoded frames stay in memory."""
    cache_gib: float = 2.0
    """Memory for decoded frames, GiB; more of them go to a temporary file that is mapped."""
    resume: bool = False
    """Go on from <output-dir>/last.ckpt."""
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    """Where to train."""
    devices: str = "auto"
    """Devices per machine, one process each; auto is one, or as many as torchrun started."""
    num_nodes: int = 1
    """Machines; under torchrun it is known."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How processes work together; auto is ddp where there are several."""
    sync_bn: bool = True
    """Several processes: normalise by the statistics of all their frames, not by those of each."""
    process_timeout_s: float = 600.0
    """Several processes: seconds without an answer after which another one is given up."""
    precision: Literal["auto", "64-true", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    """Number format; auto is 16-mixed on CUDA and 32-true elsewhere; 64-true is for comparisons."""
    compile: bool = False
    """Translate the network with torch.compile first (minutes; no faster on CPUs)."""
    folds: int | None = None
    """Cross-validate: this many models, each without some recordings, in <output-dir>/folds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("img_height", "img_width"):
            size = getattr(self, name)
            if not 32 <= size <= 4096:
                raise UsageError(f"--{name.replace('_', '-')} {size}: expected 32 to 4096 pixels")
        for name in ("epochs", "batch_size", "patience", "num_nodes"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)}: expected >= 1")
        if not 0.0 < self.val_fraction < 1.0:
            raise UsageError(f"--val-fraction {self.val_fraction}: expected between 0 and 1")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"--seed {self.seed}: expected 0 to {2**32 - 1}")
        if self.weight_decay < 0.0 or self.num_workers < 0 or not self.cache_gib >= 0.0:
            raise UsageError("--weight-decay, --num-workers and --cache-gib: expected 0 or more")
        self._check_device_options()
        if self.masks_dir is not None and self.annotations is not None:
            raise UsageError("--masks-dir and --annotations: masks come from one of them, not both")
        if self.folds is not None and (self.folds < 2 or self.resume):
            raise UsageError(f"--folds {self.folds}: expected 2 or more, and no --resume")
        if self.mix is not None and not 1 <= self.mixed_per_batch < self.batch_size:
            raise UsageError(
                f"--mix-share {self.mix_share}, --batch-size {self.batch_size}: comes to "
                f"{self.mixed_per_batch} mixed frames a batch; expected at least one of each kind"
            )

    def _check_device_options(self) -> None:
        if not 1.0 <= self.process_timeout_s <= 86400.0:
            raise UsageError(f"--process-timeout-s {self.process_timeout_s}: expected 1 to 86400")
        if self.precision == "64-true" and self.ema is not None:
            raise UsageError("--precision 64-true, --ema: the average is kept in float32")

    @property
    def mixed_per_batch(self) -> int:
        """Frames of each batch that come from ``mix``."""
        return 0 if self.mix is None else round(self.batch_size * self.mix_share)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the network's input in pixels."""
        return self.img_height, self.img_width


@dataclass(frozen=True)
class PredictConfig:
    """Options of ``wristseg predict``."""

    checkpoint: Path
    """Model file (best.ckpt), or weights that ship: sim, sim-84, sim-320, sim-640."""
    input: str
    """An image, a folder of images, a glob in quotes, or a video."""
    output: Path | None = None
    """File (for one image or video) or folder for results; outputs/predictions where not given."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    alpha: float = 0.5
    """Strength of the colours in overlays, 0 to 1."""
    save_mask: bool = False
    """Also write class ids: <stem>_mask.png per image, a lossless mask video per video."""
    save_coco: bool = False
    """Also write predictions.coco.json, which annotation tools import."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise UsageError(f"--alpha {self.alpha}: expected 0 to 1")


@dataclass(frozen=True)
class ExportConfig:
    """Options of ``wristseg export``."""

    checkpoint: Annotated[Path, POSITIONAL]
    """Model file (best.ckpt), or weights that ship: sim, sim-84, sim-320, sim-640."""
    size: str = "camera"
    """Frames that the exported model takes: HEIGHTxWIDTH, camera (the size of the data set's
    images), or model (the size that the network works at)."""
    format: Literal["onnx", "openvino"] = "onnx"
    """One .onnx file, or OpenVINO's pair of .xml and .bin."""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    """Number format; fp16 is for GPUs and NPUs, int8 is kept only if it is as good and faster."""
    output: Path | None = None
    """File to write; <checkpoint>_<height>x<width>.onnx beside the checkpoint where not given, of
    sim in the current folder."""
    dataset_path: Path | None = None
    """Data set on whose validation frames masks are compared; the one of the training where not
    given."""
    frames: Path | None = None
    """Compare on all images of this folder and those below it instead, without labels."""
    color: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels in the frames that the exported model takes; bgr suits OpenCV."""
    observation: Path | None = None
    """YAML file of what a policy sees of the masks; what the checkpoint says where not given."""
    allow_loss: bool = False
    """Keep a model that is worse or slower than it should be; the report says how much."""
    overwrite: bool = False
    """Replace the output even where it is no file of wristseg export."""

    def __post_init__(self) -> None:
        if self.dataset_path is not None and self.frames is not None:
            raise UsageError("--dataset-path and --frames: frames come from one of them, not both")


@dataclass(frozen=True)
class InfoConfig:
    """Options of ``wristseg info``."""

    file: Annotated[Path, POSITIONAL]
    """Model file to describe, or weights that ship: sim, sim-84, sim-320, sim-640."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class DemoConfig:
    """Options of ``wristseg demo``."""

    output: Path = Path("outputs/demo")
    """Folder for everything the demo makes; an earlier demo there is replaced."""
    dataset_path: Path = Path("data/dataset_v0")
    """Data set to show it on."""
    clips: Path = Path("data/clips")
    """Folder of the clips to predict."""
    epochs: int = 100
    """Most epochs to train at 84x84."""
    lr: float = 1e-3
    """Learning rate; ten times the default recipe's, which suits so few steps at 84x84."""


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
