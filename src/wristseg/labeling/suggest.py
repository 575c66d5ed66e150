"""Stage ``wristseg suggest``: which unlabelled frames to label next.

In: a model, unlabelled frames, and the data set that is labelled already. Out: a folder with the
frames that are worth most, in order, a record and a sheet that shows where the model is unsure.
A frame is worth its uncertainty times its distance from the nearest frame that is labelled or
already suggested: uncertainty alone picks ten neighbours of one odd frame, distance alone picks
what the model can do already. Batches that are unsure and diverse at once:
https://arxiv.org/abs/1901.05954. Called by ``cli.suggest``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import git_commit, versions, write_json
from wristseg.data.labels import LabelledDataset, load_labels
from wristseg.data.names import recording_of
from wristseg.data.progress import for_each, with_progress
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.labeling.config import Order, SuggestConfig
from wristseg.labeling.diversity import NEAR_DUPLICATE, distances, thumbnail
from wristseg.labeling.folder import NewFolder
from wristseg.labeling.inputs import InputFrames, every_frames, store_frame
from wristseg.labeling.probabilities import SureModel, confident_mask
from wristseg.labeling.sheet import Tile, write_sheet
from wristseg.model_info import json_values
from wristseg.overlay import blend
from wristseg.packed_file import model_path

__all__ = ["RECORD", "Candidate", "Suggestion", "Suggestions", "rank", "suggest", "uncertainty"]

RECORD = "suggestions.json"
_MADE = frozenset({RECORD, "images", "overview.jpg"})
#: A class counts if it has this share of the pixels: specks are always unsure.
_LEAST_SHARE = 0.001
#: Below this the sheet shows a pixel as unsure (grey).
_SURE = 0.9


@dataclass(frozen=True)
class Candidate:
    """A frame that might be suggested.

    Attributes:
        stem: Its name.
        recording: What the cap counts.
        uncertainty: 0 to 1.
        feature: (D,) float32, its thumbnail.
    """

    stem: str
    recording: str
    uncertainty: float
    feature: NDArray[np.float32]


@dataclass(frozen=True)
class Suggestion:
    """A frame to label.

    Attributes:
        stem: Its name.
        recording: The recording it is from.
        uncertainty: How unsure the model is, 0 to 1.
        distance: From the nearest frame that is labelled or suggested before it.
        file: Its image in the output folder.
        source: The image or video it is from.
        number: Its number in the video, or None.
    """

    stem: str
    recording: str
    uncertainty: float
    distance: float
    file: str = ""
    source: str = ""
    number: int | None = None


@dataclass
class Suggestions:
    """What a run found.

    Attributes:
        output: The folder.
        frames: The frames to label, the most useful one first.
        candidates: Frames that were looked at.
        problems: One line per input that could not be read, or not to its end.
    """

    output: Path
    frames: list[Suggestion] = field(default_factory=list)
    candidates: int = 0
    problems: list[str] = field(default_factory=list)


def suggest(config: SuggestConfig) -> Suggestions:
    """Choose the frames that are worth labelling next.

    Returns:
        What was written and what could not be; look at ``problems``.

    Raises:
        UsageError: Nothing to read, or an output folder that may not be written.
        CheckpointError: The model file cannot be used.
        DataError: No frame could be read, all look like labelled ones, or the labelled data set
            breaks a rule.
    """
    frames = InputFrames(config.inputs, lambda: every_frames(config.every))
    labels = () if config.labelled is None else (config.labelled,)
    inputs = (*frames.paths, model_path(config.checkpoint), *labels)
    target = NewFolder(config.output, inputs, _MADE, RECORD, config.overwrite)
    labelled = None if config.labelled is None else load_labels(DatasetPaths(config.labelled))
    model = SureModel(config.checkpoint, device=config.device)
    known = _features(labelled)
    candidates = _candidates(frames, model, total=frames.expected(config.every))
    done = Suggestions(config.output, candidates=len(candidates), problems=frames.problems)
    chosen = rank(
        candidates,
        known,
        count=config.count,
        per_recording=config.per_recording,
        order=config.order,
    )
    if not chosen:
        raise DataError("input", _nothing_chosen(done))
    with target.written() as folder:
        done.frames, tiles = _stored(config, model, chosen, folder)
        write_sheet(folder / "overview.jpg", tiles, columns=5)
        write_json(folder / RECORD, _record(config, model, labelled, done))
    return done


def uncertainty(probabilities: NDArray[np.float32]) -> float:
    """Return how unsure a model is of a frame: 0 (of nothing) to 1 (of everything).

    The entropy of each pixel, averaged over the pixels of each class that the model sees, then over
    these classes: a cube of 2 % of the pixels counts as much as the table.

    Args:
        probabilities: (C, h, w) float32.

    >>> sure, torn = np.zeros((2, 1, 2), np.float32), np.full((2, 1, 2), 0.5, np.float32)
    >>> sure[0] = 1
    >>> uncertainty(sure), round(uncertainty(torn), 6)
    (0.0, 1.0)
    """
    positive = np.maximum(probabilities, np.finfo(np.float32).tiny)
    entropy = -(probabilities * np.log(positive)).sum(axis=0) / np.log(len(probabilities))
    ids = probabilities.argmax(axis=0).ravel()
    pixels = np.bincount(ids, minlength=len(probabilities))
    sums = np.bincount(ids, entropy.ravel(), minlength=len(probabilities))
    seen = pixels >= max(1, _LEAST_SHARE * ids.size)
    return float(abs((sums[seen] / pixels[seen]).mean()))


def rank(
    candidates: list[Candidate],
    known: NDArray[np.float32],
    *,
    count: int,
    per_recording: int,
    order: Order = "both",
) -> list[Suggestion]:
    """Choose one frame after another, by default by uncertainty times distance.

    Args:
        candidates: The frames to choose from.
        known: (N, D) float32, thumbnails of labelled frames; N may be 0.
        count: Most frames to choose.
        per_recording: Most frames of one recording.
        order: What a frame is worth: uncertainty times distance, or one of them alone.

    Returns:
        The frames in the order they were chosen; none nearer than ``NEAR_DUPLICATE`` to a labelled
        one or to one before it.
    """
    if not candidates:
        return []
    features = np.stack([candidate.feature for candidate in candidates])
    doubts = np.array([candidate.uncertainty for candidate in candidates])
    nearest = np.ones(len(candidates), np.float32)  # thumbnails are never farther apart
    for feature in known:
        nearest = np.minimum(nearest, distances(features, feature))
    taken: Counter[str] = Counter()
    chosen: list[Suggestion] = []
    while len(chosen) < count:
        open_ = np.array([taken[candidate.recording] < per_recording for candidate in candidates])
        open_ &= nearest >= NEAR_DUPLICATE
        if not open_.any():
            break
        worth = {"both": doubts * nearest, "uncertainty": doubts, "diversity": nearest}[order]
        place = int(np.where(open_, worth, -1.0).argmax())
        best, distance = candidates[place], float(nearest[place])
        chosen.append(Suggestion(best.stem, best.recording, best.uncertainty, distance))
        taken[best.recording] += 1
        nearest = np.minimum(nearest, distances(features, features[place]))
    return chosen


def _features(labelled: LabelledDataset | None) -> NDArray[np.float32]:
    """Return the thumbnails of the labelled frames, (N, D)."""
    if labelled is None:
        return np.empty((0, 0), np.float32)
    dataset = labelled
    return np.stack(
        for_each(
            lambda frame: thumbnail(dataset.image(frame)), dataset.frames, doing="reading labels"
        )
    )


def _candidates(frames: InputFrames, model: SureModel, *, total: int) -> list[Candidate]:
    shown = with_progress(model.each(frames), total=total, doing="looking at frames")
    return [
        Candidate(
            frame.stem, recording_of(frame.stem), uncertainty(probabilities), thumbnail(frame.rgb)
        )
        for frame, probabilities in shown
    ]


def _stored(
    config: SuggestConfig, model: SureModel, chosen: list[Suggestion], folder: Path
) -> tuple[list[Suggestion], list[Tile]]:
    """Read the chosen frames once more, store them, and return them with their pictures."""
    (folder / "images").mkdir()
    places = {suggestion.stem: place for place, suggestion in enumerate(chosen)}
    again = InputFrames(config.inputs, lambda: every_frames(config.every))
    tiles: dict[int, Tile] = {}
    found = list(chosen)
    for frame, probabilities in model.each(frame for frame in again if frame.stem in places):
        place = places[frame.stem]
        name = store_frame(folder / "images", frame, config.image_format)
        found[place] = replace(
            chosen[place], file=f"images/{name}", source=str(frame.source), number=frame.number
        )
        size_hw = (frame.rgb.shape[0], frame.rgb.shape[1])
        mask = confident_mask(model, probabilities, size_hw, confidence=_SURE)
        text = f"{place + 1}. {frame.stem}  unsure {chosen[place].uncertainty:.2f}"
        tiles[place] = blend(frame.rgb, mask, model.classes), text
    return found, [tiles[place] for place in sorted(tiles)]


def _nothing_chosen(done: Suggestions) -> list[str]:
    if done.candidates == 0:
        return done.problems or ["no frame to look at"]
    return [
        *done.problems,
        f"all {done.candidates} frames look like labelled ones; give videos of other places, "
        "objects or light",
    ]


def _record(
    config: SuggestConfig, model: SureModel, labelled: LabelledDataset | None, done: Suggestions
) -> dict[str, object]:
    return {
        "command": "wristseg suggest",
        "checkpoint_sha256": model.sha256,
        "labelled_sha256": None if labelled is None else labelled.sha256,
        "options": json_values(asdict(config)),
        "candidates": done.candidates,
        "suggestions": [json_values(asdict(suggestion)) for suggestion in done.frames],
        "problems": done.problems,
        "git_commit": git_commit(),
        "versions": versions(),
    }
