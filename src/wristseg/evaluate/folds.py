"""Cross-validation: every frame is judged by a model that saw nothing of its recording.

In: the frames of a data set, and later one evaluation per fold. Out: splits that keep each
recording on one side, and all out-of-fold results as one evaluation, from which the figures are
pooled. Called by ``wristseg train --folds``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from wristseg.data.labelled import LabelledFrame
from wristseg.data.split import Split
from wristseg.errors import UsageError
from wristseg.evaluate.frames import Evaluation, named_iou
from wristseg.evaluate.measure import Measured, measured_of
from wristseg.evaluate.sides import ChosenFrames

__all__ = ["FoldResult", "fold_results", "make_folds", "pool_folds"]


@dataclass(frozen=True)
class FoldResult:
    """What one model came to on the recordings that it was not trained on.

    Attributes:
        recordings: Their names.
        frames: Number of their frames.
        val_iou: As ``val/iou``.
        val_iou_named: As ``val/iou_named``.
        labelled: Frames in which the object is labelled, large enough to be judged.
        found: Of these, those in which it was found.
    """

    recordings: tuple[str, ...]
    frames: int
    val_iou: float
    val_iou_named: float
    labelled: int
    found: int


def make_folds(frames: Sequence[LabelledFrame], count: int) -> tuple[Split, ...]:
    """Divide the recordings into folds of about as many frames each.

    The largest recordings are dealt first, each to the fold that has the fewest frames so far.

    Args:
        frames: The frames of a data set.
        count: Number of folds, at least 2.

    Returns:
        One split per fold; its ``val`` side is the fold.

    Raises:
        UsageError: There are fewer recordings than folds.
    """
    sizes = Counter(frame.recording for frame in frames)
    if len(sizes) < count:
        raise UsageError(
            f"--folds {count}: the data set has {len(sizes)} recordings ({', '.join(sizes)}); "
            "expected at most as many folds. Recordings are told apart by file name"
        )
    totals = [0] * count
    fold_of: dict[str, int] = {}
    for recording in sorted(sizes, key=lambda name: (-sizes[name], name)):
        smallest = totals.index(min(totals))
        fold_of[recording] = smallest
        totals[smallest] += sizes[recording]
    return tuple(
        Split(
            train=tuple(sorted(f.stem for f in frames if fold_of[f.recording] != fold)),
            val=tuple(sorted(f.stem for f in frames if fold_of[f.recording] == fold)),
        )
        for fold in range(count)
    )


def pool_folds(evaluations: Sequence[Evaluation], *, seed: int = 0) -> Measured:
    """Make the figures of all folds together, each frame counted once.

    Args:
        evaluations: One per fold, on the frames that its model was not trained on.
        seed: Seed of the resampling.
    """
    first = evaluations[0]
    results = tuple(result for evaluation in evaluations for result in evaluation.frames)
    frames = tuple(result.frame for result in results)
    said = (
        f"Measured on all {len(frames)} frames, each by the one of {len(evaluations)} models that "
        "was trained without its recording. The models are those of the last epoch: none was "
        "chosen by the frames it is measured on."
    )
    pooled = Evaluation(first.classes, first.object_id, results)
    return measured_of(pooled, ChosenFrames("folds", frames, said), seed=seed)


def fold_results(evaluations: Sequence[Evaluation]) -> tuple[FoldResult, ...]:
    """Return the figures of each fold, by which one sees which recordings are hard."""
    return tuple(_result(evaluation) for evaluation in evaluations)


def _result(evaluation: Evaluation) -> FoldResult:
    objects = [result.object for result in evaluation.frames if result.object is not None]
    return FoldResult(
        recordings=tuple(sorted({result.frame.recording for result in evaluation.frames})),
        frames=len(evaluation.frames),
        val_iou=evaluation.mean_iou,
        val_iou_named=named_iou(evaluation.confusion),
        labelled=sum(found.labelled for found in objects),
        found=sum(found.found for found in objects),
    )
