"""Stage ``wristseg pseudo-label``: a model's own masks as labels, where it is sure of them.

In: a checkpoint and frames nobody has labelled. Out: a folder of images with ready-made masks that
``wristseg train --mix`` reads, a record of where they come from, and a sheet to look at. The folder
appears whole or not at all. Training on such labels: Lee 2013, "Pseudo-Label"; a fixed threshold
per pixel as in FixMatch, https://arxiv.org/abs/2001.07685. Called by ``cli.pseudo_label``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import git_commit, versions, write_json, write_text
from wristseg.classes import DEFAULT_CLASSES, IGNORE_INDEX, ClassTable
from wristseg.data.names import recording_of
from wristseg.data.progress import with_progress
from wristseg.errors import DataError
from wristseg.images import read_image_rgb, read_mask, write_mask
from wristseg.labeling.config import PseudoLabelConfig
from wristseg.labeling.folder import NewFolder
from wristseg.labeling.inputs import InputFrames, every_frames, store_frame
from wristseg.labeling.probabilities import SureModel, confident_mask
from wristseg.labeling.sheet import evenly, write_sheet
from wristseg.model_info import json_values
from wristseg.overlay import blend
from wristseg.packed_file import model_path

__all__ = ["RECORD", "PseudoLabels", "pseudo_label"]

RECORD = "pseudo_labels.json"
_MADE = frozenset({RECORD, "dataset.yaml", "images", "masks", "overview.jpg"})
_SHEET_FRAMES = 12


@dataclass
class PseudoLabels:
    """What a run made.

    Attributes:
        output: The folder.
        classes: Class table of the masks.
        images: File names of the frames that got a mask, in order.
        left_out: Stems of the frames of which the model was sure of too little, and that share.
        pixels: Pixels by class id, over all masks.
        frames: Frames by class id that have pixels of it.
        ignored: Pixels marked to be ignored.
        problems: One line per input that could not be read, or not to its end.
        warnings: What is odd but stops nothing.
    """

    output: Path
    classes: ClassTable
    images: list[str] = field(default_factory=list)
    left_out: dict[str, float] = field(default_factory=dict)
    pixels: NDArray[np.int64] = field(init=False)
    frames: NDArray[np.int64] = field(init=False)
    ignored: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pixels = np.zeros(len(self.classes), np.int64)
        self.frames = np.zeros(len(self.classes), np.int64)

    def count(self, mask: NDArray[np.uint8]) -> None:
        """Count the pixels of a mask, (H, W) uint8."""
        counts = np.bincount(mask.ravel(), minlength=256)
        self.pixels += counts[: len(self.classes)]
        self.frames += counts[: len(self.classes)] > 0
        self.ignored += int(counts[IGNORE_INDEX])


def pseudo_label(config: PseudoLabelConfig) -> PseudoLabels:
    """Label frames with a model, where it is sure.

    Returns:
        What was written and what could not be; look at ``problems``.

    Raises:
        UsageError: Nothing to read, or an output folder that may not be written.
        CheckpointError: The model file cannot be used.
        DataError: No frame could be read, or the model is sure of none.
    """
    frames = InputFrames(config.inputs, lambda: every_frames(config.every))
    inputs = (*frames.paths, model_path(config.checkpoint))
    target = NewFolder(config.output, inputs, _MADE, RECORD, config.overwrite)
    model = SureModel(config.checkpoint, device=config.device)
    done = PseudoLabels(config.output, model.classes, warnings=_held_out(frames, model))
    with target.written() as folder:
        _label_all(frames, model, done, folder, config)
        done.problems = frames.problems
        if not done.images:
            raise DataError("input", _nothing_labelled(done, config))
        _write_besides(folder, done, model, config)
    return done


def _label_all(
    frames: InputFrames,
    model: SureModel,
    done: PseudoLabels,
    folder: Path,
    config: PseudoLabelConfig,
) -> None:
    for name in ("images", "masks"):
        (folder / name).mkdir()
    labelled = model.each(frames)
    shown = with_progress(labelled, total=frames.expected(config.every), doing="labelling")
    for frame, probabilities in shown:
        frame_hw = (frame.rgb.shape[0], frame.rgb.shape[1])
        mask = confident_mask(model, probabilities, frame_hw, confidence=config.confidence)
        share = float((mask != IGNORE_INDEX).mean())
        if share < config.least_share or share == 0.0:
            done.left_out[frame.stem] = share
            continue
        done.images.append(store_frame(folder / "images", frame, config.image_format))
        write_mask(folder / "masks" / f"{frame.stem}.png", mask, model.classes)
        done.count(mask)


def _write_besides(
    folder: Path, done: PseudoLabels, model: SureModel, config: PseudoLabelConfig
) -> None:
    """Write the sheet, the class table where it is not the default, and the record."""
    tiles = []
    for place in evenly(len(done.images), _SHEET_FRAMES):
        image = folder / "images" / done.images[place]
        mask = read_mask(folder / "masks" / f"{image.stem}.png", num_classes=len(done.classes))
        picture = blend(read_image_rgb(image), mask, done.classes, alpha=0.6)
        share = float((mask != IGNORE_INDEX).mean())
        tiles.append((picture, f"{image.stem}  {share:.0%} labelled"))
    write_sheet(folder / "overview.jpg", tiles)
    if model.classes != DEFAULT_CLASSES:
        write_text(folder / "dataset.yaml", model.classes.to_yaml())
    write_json(folder / RECORD, _record(done, model, config))


def _record(done: PseudoLabels, model: SureModel, config: PseudoLabelConfig) -> dict[str, Any]:
    names = done.classes.names[1:]
    return {
        "command": "wristseg pseudo-label",
        "checkpoint_sha256": model.sha256,
        "options": json_values(asdict(config)),
        "classes": done.classes.to_dict(),
        "frames": {"labelled": len(done.images), "left_out": len(done.left_out)},
        "pixels_per_class": dict(zip(names, done.pixels[1:].tolist(), strict=True)),
        "frames_per_class": dict(zip(names, done.frames[1:].tolist(), strict=True)),
        "ignored_pixels": done.ignored,
        "left_out": {stem: round(share, 4) for stem, share in done.left_out.items()},
        "warnings": done.warnings,
        "problems": done.problems,
        "git_commit": git_commit(),
        "versions": versions(),
    }


def _held_out(frames: InputFrames, model: SureModel) -> list[str]:
    """Warn of recordings that the model is validated on: the next one would have seen them."""
    validated = {recording_of(name) for name in model.info.split.get("val", ())} - {""}
    given = set()
    for source in frames.sources:
        name = frames.recordings[source.path]
        given.add(name if source.kind == "video" else recording_of(name))
    return [
        f"the model's validation has frames of {recording}: a model trained on these labels has "
        "seen frames beside them, and its val/iou says less"
        for recording in sorted(given & validated)
    ]


def _nothing_labelled(done: PseudoLabels, config: PseudoLabelConfig) -> list[str]:
    if not done.left_out:
        return done.problems or ["no frame to label"]
    best = max(done.left_out.values())
    return [
        *done.problems,
        f"the model is sure of too little in all {len(done.left_out)} frames: at best "
        f"{best:.0%} of a frame, expected {config.least_share:.0%}; lower --confidence or "
        "--least-share, or label some of these frames first (wristseg suggest)",
    ]
