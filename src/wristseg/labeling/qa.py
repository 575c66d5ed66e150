"""Stage ``wristseg qa``: rank the frames of a data set by how suspicious their labels are.

In: labels, and for each frame a model that was not trained on it. Out: every frame with its
findings, the worst first, as ``qa.json`` and as a page. The models come from the command: trained
in folds, or one that was named. Nothing in the data set is changed. Called by ``cli.qa``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import git_commit, versions, write_json
from wristseg.classes import ClassTable
from wristseg.data.agreement import agreement
from wristseg.data.draw import frame_runs
from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.data.progress import with_progress
from wristseg.errors import UsageError
from wristseg.labeling.diversity import thumbnail
from wristseg.labeling.qa_judge import Finding, judge, suspicion
from wristseg.labeling.qa_labels import AllLabels
from wristseg.labeling.qa_measure import Measured, measure
from wristseg.model_info import json_values
from wristseg.preprocess import PreprocessContract

__all__ = ["RECORD", "JudgedFrame", "Predictor", "look_over", "write_record"]

RECORD = "qa.json"


class Predictor(Protocol):
    """A model that says how sure it is."""

    @property
    def classes(self) -> ClassTable:
        """Class table of the masks."""

    @property
    def contract(self) -> PreprocessContract:
        """What happens to a frame before the network."""

    def probabilities(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn (H, W, 3) uint8 RGB into (C, h, w) float32, at the network's size."""


@dataclass(frozen=True)
class JudgedFrame:
    """A frame of the ranking.

    Attributes:
        frame: The labelled frame.
        suspicion: 0 (nothing) to 1 (surely wrong): that of its worst finding.
        findings: What seems to be wrong, worst first.
        agreement: Mean IoU of label and prediction, as ``wristseg review`` shows it.
        excluded: Whether it is marked as excluded; that decides nothing.
    """

    frame: LabelledFrame
    suspicion: float
    findings: tuple[Finding, ...]
    agreement: float
    excluded: bool

    def annotation_ids(self, finding: Finding) -> list[int]:
        """Return the COCO ids of the annotations that a finding is about."""
        coco = self.frame.coco
        if coco is None:
            return []
        return [
            a.id for a in coco.annotations if not finding.classes or a.class_id in finding.classes
        ]


def look_over(
    labels: AllLabels, model_of: Callable[[LabelledFrame], Predictor]
) -> tuple[JudgedFrame, ...]:
    """Judge all frames.

    Args:
        labels: The data set.
        model_of: The model that judges a frame, best one that was not trained on it.

    Returns:
        All frames, the most suspicious first; of equal ones the one with less agreement.

    Raises:
        UsageError: A model has other classes than the data set.
        DataError: An image cannot be read.
    """
    dataset = labels.dataset
    frames, measured, looks, agreements = dataset.frames, [], [], []
    for frame in with_progress(frames, total=len(frames), doing="judging labels"):
        model = model_of(frame)
        require_classes(model, dataset.classes)
        frame_rgb = dataset.image(frame)
        probabilities = model.probabilities(frame_rgb)
        drawn = drawings(dataset, frame)
        measured.append(_measured(drawn, frame, probabilities, model.contract))
        mask = predicted_mask(probabilities, model.contract, frame.size_hw)
        count = len(dataset.classes)
        agreements.append(agreement(drawn[frame.tag], mask, num_classes=count).iou)
        looks.append(thumbnail(frame_rgb))
    recordings = [frame.recording for frame in frames]
    found = judge(measured, recordings, np.stack(looks), dataset.classes.names)
    judged = [
        JudgedFrame(frame, suspicion(findings), findings, iou, frame.stem in labels.excluded)
        for frame, findings, iou in zip(frames, found, agreements, strict=True)
    ]
    return tuple(sorted(judged, key=lambda j: (-j.suspicion, j.agreement, j.frame.stem)))


def require_classes(model: Predictor, classes: ClassTable) -> None:
    """Refuse a model of other classes than the data set's.

    Raises:
        UsageError: The names differ.
    """
    if model.classes.names != classes.names:
        raise UsageError(
            f"the model predicts {', '.join(model.classes.names)}; the data set has "
            f"{', '.join(classes.names)}; give a model that was trained on these classes"
        )


def drawings(dataset: LabelledDataset, frame: LabelledFrame) -> dict[str, NDArray[np.uint8]]:
    """Draw a frame's labels in every order that there is: (H, W) uint8 class ids, by tag."""
    if frame.coco is None:
        return {frame.tag: dataset.mask(frame)}
    runs = frame_runs(frame.coco)
    orders = dataset.classes.draw_orders
    return {tag: runs.to_pixels(runs.paint(dataset.classes.order_ids(tag))) for tag in orders}


def predicted_mask(
    probabilities: NDArray[np.float32], contract: PreprocessContract, frame_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the most probable class of each pixel: (C, h, w) to (H, W) uint8."""
    return contract.restore_mask(probabilities.argmax(axis=0).astype(np.uint8), frame_hw)


def _measured(
    drawn: Mapping[str, NDArray[np.uint8]],
    frame: LabelledFrame,
    probabilities: NDArray[np.float32],
    contract: PreprocessContract,
) -> Measured:
    small = {tag: contract.resize_mask(mask) for tag, mask in drawn.items()}
    label = small.pop(frame.tag)
    return measure(label, probabilities, others=small)


def write_record(
    path: Path, labels: AllLabels, judged: Sequence[JudgedFrame], origin: Mapping[str, Any]
) -> None:
    """Write ``qa.json``: where the judgement is from, and all frames, the worst first.

    Args:
        path: The file.
        labels: The data set.
        judged: Its frames, ranked.
        origin: Options and models.
    """
    names = labels.dataset.classes.names
    record = {
        **origin,
        "dataset_sha256": labels.dataset.sha256,
        "git_commit": git_commit(),
        "versions": versions(),
        "not_looked_at": labels.unreadable,
        "without_annotation": labels.dataset.without_annotation,
        "frames": [_row(rank, frame, names) for rank, frame in enumerate(judged, start=1)],
    }
    write_json(path, json_values(record))


def _row(rank: int, judged: JudgedFrame, names: Sequence[str]) -> dict[str, Any]:
    frame = judged.frame
    return {
        "rank": rank,
        "stem": frame.stem,
        "file": frame.image_path.name,
        "recording": frame.recording,
        "tag": frame.tag,
        "excluded": judged.excluded,
        "suspicion": round(judged.suspicion, 4),
        "agreement": round(judged.agreement, 4),
        "findings": [
            {
                "kind": finding.kind,
                "classes": [names[class_id] for class_id in finding.classes],
                "score": round(finding.score, 4),
                "said": finding.said,
                "annotation_ids": judged.annotation_ids(finding),
            }
            for finding in judged.findings
        ],
    }
