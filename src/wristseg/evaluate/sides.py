"""Choose the labelled frames that a model is measured on, and say what they prove.

In: the options of ``val`` or ``compare``, and what the model's file says. Out: frames, and the
sentence that stands above the figures: whether training saw them, or their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.labels import load_labels
from wristseg.data.of_model import dataset_of_model
from wristseg.data.split import Split, neighbours_in_train, read_split
from wristseg.errors import DataError
from wristseg.evaluate.config import DataOptions, Side
from wristseg.model_info import ModelInfo
from wristseg.packed_file import is_shipped

__all__ = ["ChosenFrames", "choose_frames", "load_labelled"]


@dataclass(frozen=True)
class ChosenFrames:
    """The frames of one evaluation.

    Attributes:
        side: ``val``, ``train`` or ``all``.
        frames: The frames, at least one.
        said: What the figures on them prove, for people.
    """

    side: str
    frames: tuple[LabelledFrame, ...]
    said: str


def load_labelled(options: DataOptions, info: ModelInfo) -> LabelledDataset:
    """Read the data set that the options name, or else the one the model was trained on.

    Raises:
        UsageError: Nobody says where it lies, or it is not there.
        DataError: Its labels break a rule.
    """
    paths = options.dataset()
    if paths is not None:
        return load_labels(paths, masks_dir=options.masks_dir)
    how = "; give --dataset-path DATASET"
    paths, masks_dir = dataset_of_model(
        info, unknown=how, moved="give its place with --dataset-path"
    )
    return load_labels(paths, masks_dir=options.masks_dir or masks_dir)


def choose_frames(
    labels: LabelledDataset, info: ModelInfo, *, side: Side = "auto", split_file: Path | None = None
) -> ChosenFrames:
    """Return the frames to measure on.

    ``auto`` takes the model's validation frames where the data set has them, and all frames of a
    data set that has none of the model's.

    Args:
        labels: The data set.
        info: Of the model.
        side: Which side of the split, or all frames.
        split_file: A ``split.json`` to go by instead of the model's split.

    Raises:
        DataError: The data set has only a part of those frames, or there is no split.
    """
    own = Split(tuple(info.split.get("train", ())), tuple(info.split.get("val", ())))
    split = own if split_file is None else read_split(split_file, labels.frames)
    if side == "auto":
        known = {frame.stem for frame in labels.frames}
        side = "all" if known.isdisjoint((*split.val, *split.train)) else "val"
    if side == "all":
        return ChosenFrames("all", labels.frames, _said(labels, info, own, labels.frames, "all"))
    wanted = set(split.val if side == "val" else split.train)
    frames = tuple(frame for frame in labels.frames if frame.stem in wanted)
    missing = sorted(wanted - {frame.stem for frame in frames})
    if missing or not frames:
        raise DataError(
            labels.layout.images_dir,
            f"{side} frames of {split_file or info.path} are not in the data set: "
            f"{', '.join(missing) or 'it names none'}; give the data set it was trained on, "
            "or --side all",
        )
    return ChosenFrames(side, frames, _said(labels, info, own, frames, side))


def _said(
    labels: LabelledDataset,
    info: ModelInfo,
    split: Split,
    frames: tuple[LabelledFrame, ...],
    side: str,
) -> str:
    count = len(frames)
    if is_shipped(info.path):
        return (
            f"Measured on {count} frames. The weights that ship in the package were trained on "
            "frames of wristseg render alone; on frames of the presets and seeds that wristseg "
            "info names the figures prove nothing."
        )
    if not split.train and not split.val:
        return (
            f"Measured on {count} frames. The model's file does not say which frames it was "
            "trained on; if these are among them, the figures prove nothing."
        )
    stems = {frame.stem for frame in frames}
    trained = len(stems.intersection(split.train))
    if trained:
        return (
            f"Measured on {count} frames, {trained} of which the model was trained on, "
            "so the figures are too good."
        )
    what = "validation frames" if side == "val" else "frames"
    said = f"Measured on {count} {what} that training did not see."
    beside = neighbours_in_train(labels.frames, Split(split.train, tuple(stems)))
    if beside:
        said += (
            f" {beside} of them have a neighbour from the same recording among the training "
            "frames, so the figures say little about new recordings; --split-by recording does."
        )
    if info.dataset_sha256 not in {None, labels.sha256} and stems.intersection(split.val):
        said += (
            " Labels or images differ from those of the training; frames were found by their names."
        )
    return said
