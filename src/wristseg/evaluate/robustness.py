"""How a model holds out under graded corruptions of the frames it is measured on.

In: a model, labelled frames, ``evaluate.corruptions``. Out: for each corruption and severity the
figures that a robot depends on, at the frame's size, pooled over the frames:

- mean IoU over the named classes, and IoU of the object (bootstrap intervals as elsewhere);
- for shadows, the share of shadowed table pixels called the object: the shadow that the robot
  chases. Pixels within 2 % of the frame's width of the labelled object are left out, since an
  outline a few pixels off is no such shadow. Severity 0 tells the share on the same pixels without
  a shadow.

What a patch hides does not count, so its rows are over other pixels than those of severity 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX
from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.data.progress import with_progress
from wristseg.evaluate.bootstrap import Resampling, interval
from wristseg.evaluate.corruptions import CORRUPTIONS, SEVERITIES, Corrupted, Scene, corrupt
from wristseg.evaluate.figures import Figure
from wristseg.evaluate.frames import named_iou, segment
from wristseg.metrics import class_iou, confusion_matrix
from wristseg.predict import Segmenter
from wristseg.preprocess import PreprocessContract

__all__ = ["Cell", "measure_robustness", "scene_of"]

_TABLE = "table"
#: How near to the labelled object table pixels are left out: 13 px of 640.
_MARGIN_SHARE = 0.02
_LEVELS = (0, *SEVERITIES)


@dataclass(frozen=True)
class Cell:
    """One corruption at one severity.

    Attributes:
        corruption: Its name.
        severity: 0 to 5.
        miou_named: Mean IoU over the named classes.
        object_iou: IoU of the object's class; None where there is no such class.
        false_on_shadow: Share of shadowed table pixels called the object; None but for shadows.
        shadow_pixels: How many shadowed table pixels there are.
    """

    corruption: str
    severity: int
    miou_named: Figure
    object_iou: Figure | None
    false_on_shadow: Figure | None
    shadow_pixels: int

    def record(self) -> dict[str, Any]:
        """Return what ``metrics.json`` says about it."""
        figures = {
            name: None if figure is None else figure.to_dict()
            for name, figure in (
                ("miou_named", self.miou_named),
                ("object_iou", self.object_iou),
                ("false_object_share_of_shadowed_table", self.false_on_shadow),
            )
        }
        return {
            "corruption": self.corruption,
            "severity": self.severity,
            **figures,
            "shadowed_table_pixels": self.shadow_pixels,
        }


def measure_robustness(
    segmenter: Segmenter,
    labels: LabelledDataset,
    frames: Sequence[LabelledFrame],
    *,
    object_id: int | None,
    resampling: Resampling,
    seed: int = 0,
) -> tuple[Cell, ...]:
    """Segment every frame under every corruption and severity.

    Args:
        segmenter: The model.
        labels: The data set of the frames.
        frames: The frames.
        object_id: Class of the object, or None.
        resampling: Resamples of these frames, for the intervals.
        seed: Seed of the corruptions.
    """
    count = len(segmenter.classes)
    shape = (len(CORRUPTIONS), len(_LEVELS), len(frames))
    confusions = np.zeros((*shape, count, count), np.int64)
    shadows = np.zeros((*shape, 2), np.int64)  # table pixels in the shadow, those called the object
    for i, frame in enumerate(with_progress(frames, total=len(frames), doing="corrupting")):
        scene = scene_of(labels, frame, object_id)
        counted = _counted(scene.label, segmenter.info.preprocess)
        table = _open_table(scene, counted)
        clean = segment(segmenter, scene.frame_rgb)[1]
        for j, name in enumerate(CORRUPTIONS):
            for k in _LEVELS:
                bad = corrupt(scene, name, k, stem=frame.stem, seed=seed)
                mask = clean if k == 0 else segment(segmenter, bad.frame_rgb)[1]
                confusions[j, k, i] = _confusion(counted, bad, mask, count)
                shadows[j, k, i] = _false_on_shadow(table, bad, mask, object_id)
    return tuple(
        _cell(
            name, k, (confusions[j, k], shadows[j, k]), object_id=object_id, resampling=resampling
        )
        for j, name in enumerate(CORRUPTIONS)
        for k in _LEVELS
    )


def scene_of(labels: LabelledDataset, frame: LabelledFrame, object_id: int | None) -> Scene:
    """Read a frame for corruption; its table is the class of that name, if there is one."""
    table_id = labels.classes.id_of(_TABLE)
    return Scene(labels.image(frame), labels.mask(frame), table_id, object_id)


def _counted(label: NDArray[np.uint8], contract: PreprocessContract) -> NDArray[np.uint8]:
    """Return (H, W) uint8, the label with what a crop cuts off ignored."""
    top, left, height, width = contract.crop_box((label.shape[0], label.shape[1]))
    seen = np.s_[top : top + height, left : left + width]
    counted = np.full_like(label, IGNORE_INDEX)
    counted[seen] = label[seen]
    return counted


def _confusion(
    label: NDArray[np.uint8], bad: Corrupted, mask: NDArray[np.uint8], num_classes: int
) -> NDArray[np.int64]:
    if bad.hidden is not None:
        label = np.where(bad.hidden, np.uint8(IGNORE_INDEX), label)
    return confusion_matrix(mask, label, num_classes)


def _open_table(scene: Scene, counted: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (H, W) bool: labelled table that counts and is not next to the labelled object."""
    if scene.table_id is None or scene.object_id is None:
        return np.zeros(scene.label.shape, bool)
    reach = 2 * math.ceil(_MARGIN_SHARE * scene.label.shape[1]) + 1
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    around = cv2.dilate((scene.label == scene.object_id).astype(np.uint8), near)
    return np.asarray((counted == scene.table_id) & (around == 0))


def _false_on_shadow(
    table: NDArray[np.bool_], bad: Corrupted, mask: NDArray[np.uint8], object_id: int | None
) -> tuple[int, int]:
    if bad.shadowed is None or object_id is None:
        return 0, 0
    table = table & bad.shadowed
    return int(np.count_nonzero(table)), int(np.count_nonzero(mask[table] == object_id))


def _cell(
    name: str,
    severity: int,
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    object_id: int | None,
    resampling: Resampling,
) -> Cell:
    """Pool (N, C, C) and (N, 2) counts of one corruption and severity."""
    confusions, shadows = counts
    pools = np.tensordot(resampling.weights, confusions, axes=1)
    pooled = confusions.sum(axis=0)
    seen = int((confusions.sum(axis=(1, 2)) > 0).sum())

    def figure(of: Callable[[NDArray[np.int64]], float]) -> Figure:
        return Figure(of(pooled), seen, interval(np.array([of(pool) for pool in pools])))

    object_iou = None
    if object_id is not None:
        object_iou = figure(lambda confusion: float(class_iou(confusion)[object_id]))
    in_shadow = shadows.sum(axis=0)
    false_on_shadow = None
    if in_shadow[0] > 0:
        drawn = resampling.weights @ shadows
        shares = np.array([_share(*pair) for pair in drawn])
        shadowed = int((shadows[:, 0] > 0).sum())
        false_on_shadow = Figure(_share(*in_shadow), shadowed, interval(shares))
    return Cell(name, severity, figure(named_iou), object_iou, false_on_shadow, int(in_shadow[0]))


def _share(whole: int, part: int) -> float:
    return float(part / whole) if whole else math.nan
