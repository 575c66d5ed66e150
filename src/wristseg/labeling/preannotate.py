"""Stage ``wristseg preannotate``: a model's masks for annotation tools, to be corrected there.

In: a model and images. Out: one file that CVAT, Roboflow or Label Studio imports, a record and a
sheet to look at; the folder appears whole or not at all. The images stay where they are. For
labelling inside CVAT without any file see ``cvat_function``. Called by ``cli.preannotate``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import wristseg
from wristseg.artifacts import (
    git_commit,
    sha256_of,
    versions,
    write_json,
    write_text,
)
from wristseg.classes import ClassTable
from wristseg.data.progress import with_progress
from wristseg.errors import DataError, UsageError
from wristseg.images import read_image_rgb
from wristseg.labeling.config import PreannotateConfig
from wristseg.labeling.folder import NewFolder
from wristseg.labeling.inputs import InputFrame, InputFrames, every_frames
from wristseg.labeling.label_studio import image_address, label_config, task
from wristseg.labeling.sheet import evenly, write_sheet
from wristseg.model_info import json_values
from wristseg.overlay import blend
from wristseg.packed_file import model_path
from wristseg.predict import Segmenter
from wristseg.predict.coco import CocoPredictions

__all__ = ["COCO_FILE", "LABEL_STUDIO_FILE", "RECORD", "Preannotated", "preannotate"]

#: Named as CVAT names an export, so that ``wristseg`` finds it beside ``images/`` too.
COCO_FILE = "instances_default.json"
LABEL_STUDIO_FILE, LABEL_STUDIO_CONFIG = "label_studio_tasks.json", "label_studio_config.xml"
RECORD = "preannotations.json"
_MADE = frozenset({RECORD, COCO_FILE, LABEL_STUDIO_FILE, LABEL_STUDIO_CONFIG, "overview.jpg"})
_SHEET_FRAMES = 12


@dataclass
class Preannotated:
    """What a run made.

    Attributes:
        files: What to import.
        images: Images with predictions, in order.
        problems: One line per image that could not be read.
    """

    files: tuple[Path, ...] = ()
    images: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Form(Protocol):
    """Collects masks in the form of one tool."""

    def add(self, file_name: str, mask: NDArray[np.uint8]) -> None:
        """Take the mask of an image, (H, W) uint8 class ids."""

    def write_to(self, folder: Path) -> tuple[str, ...]:
        """Write the files and return their names."""


def preannotate(config: PreannotateConfig) -> Preannotated:
    """Predict images and write what annotation tools import.

    Returns:
        What was written and what could not be; look at ``problems``.

    Raises:
        UsageError: A video is named, two images share a name, or an output folder that may not be
            written.
        CheckpointError: The model file cannot be used.
        DataError: No image could be read.
    """
    frames = InputFrames(config.inputs, lambda: every_frames(1))
    _require_images(frames)
    inputs = (*frames.paths, model_path(config.checkpoint))
    target = NewFolder(config.output, inputs, _MADE, RECORD, config.overwrite)
    segmenter = Segmenter.load(config.checkpoint, device=config.device)
    sha256 = sha256_of(model_path(config.checkpoint))
    form = _form(config, segmenter.classes, sha256)
    done = Preannotated()
    for frame, mask in _predicted(frames, segmenter):
        form.add(frame.source.name, mask)
        done.images.append(frame.source)
    done.problems = list(frames.problems)
    if not done.images:
        raise DataError("input", done.problems)
    with target.written() as folder:
        names = form.write_to(folder)
        _write_sheet(folder / "overview.jpg", done, segmenter)
        write_json(folder / RECORD, _record(config, done, segmenter, sha256))
    done.files = tuple(config.output / name for name in names)
    return done


def _require_images(frames: InputFrames) -> None:
    videos = [source.path for source in frames.sources if source.kind == "video"]
    if videos:
        raise UsageError(
            f"input {videos[0]}: is a video, and annotation tools match images by name; take "
            "frames out of it first: wristseg frames"
        )
    names: dict[str, Path] = {}
    for source in frames.sources:
        other = names.setdefault(source.path.stem.casefold(), source.path)
        if other != source.path:
            raise UsageError(f"{other} and {source.path}: share a name; rename one of them")


def _predicted(
    frames: InputFrames, segmenter: Segmenter
) -> Iterator[tuple[InputFrame, NDArray[np.uint8]]]:
    shown = with_progress(frames, total=len(frames.sources), doing="predicting")
    for frame in shown:
        try:
            yield frame, segmenter.predict_rgb(frame.rgb)
        except DataError as error:  # an export for frames of another size
            frames.problems.append(f"{frame.source}: {error}")


def _form(config: PreannotateConfig, classes: ClassTable, sha256: str) -> _Form:
    if config.format == "coco":
        return _Coco(config, classes, sha256)
    return _LabelStudio(config, classes, sha256)


class _Coco:
    """The form of CVAT, Roboflow and others."""

    def __init__(self, config: PreannotateConfig, classes: ClassTable, sha256: str) -> None:
        self._predictions = CocoPredictions(
            classes, shape=config.shape, tolerance_px=config.tolerance
        )
        self._origin = f"wristseg {wristseg.__version__}, checkpoint SHA-256 {sha256}"

    def add(self, file_name: str, mask: NDArray[np.uint8]) -> None:
        """Take the mask of an image, (H, W) uint8 class ids."""
        self._predictions.add(file_name, mask)

    def write_to(self, folder: Path) -> tuple[str, ...]:
        """Write the COCO file."""
        self._predictions.write(folder / COCO_FILE, description=self._origin)
        return (COCO_FILE,)


class _LabelStudio:
    """The form of Label Studio."""

    def __init__(self, config: PreannotateConfig, classes: ClassTable, sha256: str) -> None:
        self._config = config
        self._classes = classes
        self._model_version = f"wristseg {sha256[:12]}"
        self._tasks: list[dict[str, Any]] = []

    def add(self, file_name: str, mask: NDArray[np.uint8]) -> None:
        """Take the mask of an image, (H, W) uint8 class ids."""
        self._tasks.append(
            task(
                image_address(self._config.image_prefix, file_name),
                mask,
                self._classes,
                shape=self._config.shape,
                tolerance_px=self._config.tolerance,
                model_version=self._model_version,
            )
        )

    def write_to(self, folder: Path) -> tuple[str, ...]:
        """Write tasks and labelling interface."""
        text = json.dumps(self._tasks, ensure_ascii=False, separators=(",", ":"))
        write_text(folder / LABEL_STUDIO_FILE, text + "\n")
        write_text(
            folder / LABEL_STUDIO_CONFIG, label_config(self._classes, shape=self._config.shape)
        )
        return LABEL_STUDIO_FILE, LABEL_STUDIO_CONFIG


def _write_sheet(path: Path, done: Preannotated, segmenter: Segmenter) -> None:
    tiles = []
    for place in evenly(len(done.images), _SHEET_FRAMES):
        image = done.images[place]
        frame_rgb = read_image_rgb(image)
        mask = segmenter.predict_rgb(frame_rgb)
        tiles.append((blend(frame_rgb, mask, segmenter.classes), image.stem))
    write_sheet(path, tiles)


def _record(
    config: PreannotateConfig, done: Preannotated, segmenter: Segmenter, sha256: str
) -> dict[str, object]:
    return {
        "command": "wristseg preannotate",
        "checkpoint_sha256": sha256,
        "options": json_values(asdict(config)),
        "classes": segmenter.classes.to_dict(),
        "images": [str(path) for path in done.images],
        "problems": done.problems,
        "git_commit": git_commit(),
        "versions": versions(),
    }
