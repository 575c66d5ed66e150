"""Measure a model on chosen frames: every figure with its interval, and ``metrics.json`` of it.

In: a loaded model, a data set and the chosen frames. Out: ``Measured``, which the page shows and
the record tells. Called by ``wristseg val``, at the end of every training, and after the folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wristseg.data.labels import LabelledDataset
from wristseg.evaluate.bootstrap import LEVEL, Resampling, resample
from wristseg.evaluate.boundary import TOLERANCE_PX
from wristseg.evaluate.figures import HEADLINES, Figure, Tally, figures_of
from wristseg.evaluate.frames import Evaluation, FrameResult, evaluate
from wristseg.evaluate.objects import FOUND_IOU, MIN_SHARE
from wristseg.evaluate.sides import ChosenFrames
from wristseg.model_info import json_values
from wristseg.predict import Segmenter

__all__ = ["Measured", "ObjectCounts", "measure", "measured_of"]


@dataclass(frozen=True)
class ObjectCounts:
    """The object over all frames.

    Attributes:
        name: Name of its class.
        labelled: Frames in which it is labelled, large enough to be judged.
        found: Of these, those in which it was found; the others are missed.
        too_small: Frames in which only a smaller part of it is labelled.
        false_regions: Regions wrongly called the object.
        false_frames: Frames with such a region.
        frames: All frames.
    """

    name: str
    labelled: int
    found: int
    too_small: int
    false_regions: int
    false_frames: int
    frames: int


@dataclass(frozen=True)
class Measured:
    """What a model came to on some frames.

    Attributes:
        chosen: The frames, and what they prove.
        evaluation: Counts by frame.
        figures: Every figure by name, see ``Tally.values``.
        resampling: What the intervals were drawn from.
        object: The object's counts; None where there is no such class.
    """

    chosen: ChosenFrames
    evaluation: Evaluation
    figures: dict[str, Figure]
    resampling: Resampling
    object: ObjectCounts | None

    def record(self) -> dict[str, Any]:
        """Return everything that ``metrics.json`` says about these frames, as plain values."""
        evaluation, names = self.evaluation, self.evaluation.classes.names
        return {
            "side": self.chosen.side,
            "said": self.chosen.said,
            "frames": len(evaluation.frames),
            "interval": {
                "level": LEVEL,
                "drawn": self.resampling.drawn,
                "units": self.resampling.units,
                "resamples": len(self.resampling.weights),
            },
            "figures": {
                name: {**self.figures[name].to_dict(), "meaning": meaning}
                for name, meaning in HEADLINES.items()
                if name in self.figures
            },
            "classes": {
                name: {
                    kind: self.figures[f"{kind}/{name}"].to_dict()
                    for kind in ("val/iou", "iou", "boundary_f")
                }
                for name in names
            },
            "object": None if self.object is None else vars(self.object),
            "thresholds": {
                "found_iou": FOUND_IOU,
                "object_share_of_frame": MIN_SHARE,
                "boundary_px": TOLERANCE_PX,
            },
            "confusion_matrix": {
                "rows_labelled_columns_predicted": list(names),
                "network": evaluation.confusion.tolist(),
                "frame": evaluation.full_confusion.tolist(),
            },
            "per_frame": [_frame_record(result) for result in evaluation.frames],
        }


def measure(
    segmenter: Segmenter,
    labels: LabelledDataset,
    chosen: ChosenFrames,
    *,
    object_class: str | None = None,
    seed: int = 0,
) -> Measured:
    """Segment the chosen frames and make every figure.

    Args:
        segmenter: The model.
        labels: The data set of the frames.
        chosen: The frames.
        object_class: Class to judge as an object; None for ``cube``, if there is one.
        seed: Seed of the resampling.

    Raises:
        UsageError: There is no class of that name.
        DataError: The data set has other classes than the model, or a frame cannot be read.
    """
    evaluation = evaluate(segmenter, labels, chosen.frames, object_class=object_class)
    return measured_of(evaluation, chosen, seed=seed)


def measured_of(evaluation: Evaluation, chosen: ChosenFrames, *, seed: int = 0) -> Measured:
    """Make every figure from what was counted."""
    drawn = resample([result.frame.recording for result in evaluation.frames], seed=seed)
    figures = figures_of(Tally.of(evaluation), drawn)
    return Measured(chosen, evaluation, figures, drawn, _count_objects(evaluation))


def _count_objects(evaluation: Evaluation) -> ObjectCounts | None:
    if evaluation.object_id is None:
        return None
    results = [result.object for result in evaluation.frames if result.object is not None]
    return ObjectCounts(
        name=evaluation.classes.names[evaluation.object_id],
        labelled=sum(result.labelled for result in results),
        found=sum(result.found for result in results),
        too_small=sum(result.too_small for result in results),
        false_regions=sum(result.false_regions for result in results),
        false_frames=sum(result.false_regions > 0 for result in results),
        frames=len(results),
    )


def _frame_record(result: FrameResult) -> dict[str, Any]:
    frame = result.frame
    said = {"stem": frame.stem, "recording": frame.recording, "tag": frame.tag}
    of_object = None if result.object is None else vars(result.object)
    plain: dict[str, Any] = json_values({**said, "miou_named": result.iou, "object": of_object})
    return plain
