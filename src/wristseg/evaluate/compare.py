"""Stage ``wristseg compare``: two models on the same frames; is the difference more than noise?

In: two run folders or model files, and a labelled data set. Out: for every figure the difference
B - A with a paired bootstrap interval: each resample draws the same recordings (or frames, where
there is one recording) for both models, so that what makes a frame hard for both cancels. A
difference counts as more than noise where the interval leaves out zero. Each figure is judged by
itself; of twenty that do not differ, one will look as if it did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.data.labels import LabelledDataset
from wristseg.errors import DataError, UsageError
from wristseg.evaluate.bootstrap import Resampling, interval, resample
from wristseg.evaluate.config import CompareConfig
from wristseg.evaluate.figures import Tally
from wristseg.evaluate.frames import Evaluation, evaluate, segment_labelled
from wristseg.evaluate.galleries import changed_gallery
from wristseg.evaluate.sides import ChosenFrames, choose_frames, load_labelled
from wristseg.model_info import ModelInfo, json_values
from wristseg.packed_file import model_path
from wristseg.pages import render_page
from wristseg.predict import Segmenter

__all__ = ["Comparison", "Difference", "FrameChange", "compare"]

#: Figures of which less is better.
_LESS_IS_BETTER = ("object/false", "object/centroid_px_median", "object/centroid_px_p95")

Verdict = Literal["B is better", "A is better", "within noise", "not defined"]


@dataclass(frozen=True)
class Difference:
    """One figure of both models.

    Attributes:
        name: As in ``metrics.json``.
        a: Of the first model.
        b: Of the second.
        interval: Ends of the paired interval of ``b - a``; None where it is not defined.
        n: Frames that have a part in it.
    """

    name: str
    a: float
    b: float
    interval: tuple[float, float] | None
    n: int

    @property
    def verdict(self) -> Verdict:
        """Whether the difference is more than noise, and for whom it speaks."""
        if self.interval is None:
            return "not defined"
        low, high = self.interval
        if low <= 0.0 <= high:
            return "within noise"
        return "B is better" if (low > 0.0) != (self.name in _LESS_IS_BETTER) else "A is better"


@dataclass(frozen=True)
class FrameChange:
    """One frame: mean IoU over the named classes of both models, at the frame's size."""

    stem: str
    recording: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to.

    Attributes:
        differences: Every figure.
        frames: Every frame, those that changed most first.
        said: What the frames prove for each model, and what the intervals are.
        page: The page; None unless asked for.
    """

    differences: tuple[Difference, ...]
    frames: tuple[FrameChange, ...]
    said: tuple[str, ...]
    page: Path | None


def compare(config: CompareConfig) -> Comparison:
    """Measure both models on the same frames and write a page, if it is asked for.

    Raises:
        UsageError: A run has no model, or it is not known where the data lies.
        DataError: The models do not have the same classes, frames or labels.
        CheckpointError: A model file cannot be used.
    """
    paths = _model_file(config.run_a), _model_file(config.run_b)
    models = tuple(Segmenter.load(path, device=config.device) for path in paths)
    _check_alike(config, models[0].info, models[1].info)
    labels = load_labelled(config, models[0].info)
    chosen = _same_frames(config, labels, models[0].info, models[1].info)
    results = [
        evaluate(model, labels, side.frames, object_class=config.object_class)
        for model, side in zip(models, chosen, strict=True)
    ]
    drawn = resample([frame.recording for frame in chosen[0].frames], seed=config.seed)
    same_size = models[0].info.preprocess == models[1].info.preprocess
    found = Comparison(
        differences=_differences(results[0], results[1], drawn, network=same_size),
        frames=_changes(results[0], results[1]),
        said=(*_said(chosen), drawn.said()),
        page=None if config.output is None else config.output / "compare.html",
    )
    if found.page is not None:
        _write_page(found.page, paths, labels, models, found)
        record = _record(config, paths, labels, found)
        write_json(found.page.with_name("compare.json"), record)
    return found


def _model_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if not (path / "best.ckpt").is_file():
        raise UsageError(f"{path}: holds no best.ckpt; give a run folder or a model file")
    return path / "best.ckpt"


def _check_alike(config: CompareConfig, a: ModelInfo, b: ModelInfo) -> None:
    if a.classes.names != b.classes.names:
        raise DataError(
            b.path, f"classes are {b.classes.names}, those of {a.path} {a.classes.names}"
        )
    if a.preprocess.crop != b.preprocess.crop:
        raise DataError(
            b.path,
            f"was trained with --crop {b.preprocess.crop}, {a.path} with {a.preprocess.crop}; they "
            "see different parts of a frame and cannot be compared",
        )
    if config.dataset_path is None and a.dataset_sha256 != b.dataset_sha256:
        raise DataError(
            b.path,
            f"was trained on other labels or images than {a.path} (SHA-256 {b.dataset_sha256} and "
            f"{a.dataset_sha256}); name the data set to compare on with --dataset-path",
        )


def _same_frames(
    config: CompareConfig, labels: LabelledDataset, a: ModelInfo, b: ModelInfo
) -> tuple[ChosenFrames, ChosenFrames]:
    first, second = (
        choose_frames(labels, info, side=config.side, split_file=config.split_file)
        for info in (a, b)
    )
    stems, others = ({frame.stem for frame in side.frames} for side in (first, second))
    if stems != others:
        only = [sorted(stems - others), sorted(others - stems)]
        listed = ", ".join(
            f"{len(names)} only of {info.path} ({names[0]} ...)"
            for names, info in zip(only, (a, b), strict=True)
            if names
        )
        raise DataError(
            labels.layout.images_dir,
            f"the models have other {first.side} frames: {listed}; frames that one of them was "
            "trained on prove nothing. Name common ones with --split-file, or take --side all for "
            "a data set that neither has seen",
        )
    return first, second


def _said(chosen: tuple[ChosenFrames, ChosenFrames]) -> tuple[str, ...]:
    a, b = (side.said for side in chosen)
    return (f"A and B: {a}",) if a == b else (f"A: {a}", f"B: {b}")


def _differences(
    a: Evaluation, b: Evaluation, drawn: Resampling, *, network: bool
) -> tuple[Difference, ...]:
    """Return every figure; those at the network's size only where both have the same."""
    tallies = Tally.of(a), Tally.of(b)
    weights = np.ones(len(a.frames), np.int64)
    values = [tally.values(weights) for tally in tallies]
    draws = [[tally.values(row) for row in drawn.weights] for tally in tallies]
    behind = [tally.frames_behind() for tally in tallies]
    return tuple(
        Difference(
            name,
            values[0][name],
            values[1][name],
            interval(np.array([y[name] - x[name] for x, y in zip(*draws, strict=True)])),
            max(behind[0][name], behind[1][name]),
        )
        for name in values[0]
        if network or not name.startswith("val/")
    )


def _changes(a: Evaluation, b: Evaluation) -> tuple[FrameChange, ...]:
    changes = [
        FrameChange(x.frame.stem, x.frame.recording, x.iou, y.iou)
        for x, y in zip(a.frames, b.frames, strict=True)
    ]
    return tuple(sorted(changes, key=lambda c: -np.nan_to_num(abs(c.b - c.a), nan=0.0)))


def _write_page(
    page: Path,
    paths: tuple[Path, Path],
    labels: LabelledDataset,
    models: tuple[Segmenter, ...],
    found: Comparison,
) -> None:
    frames = {frame.stem: frame for frame in labels.frames}
    changed = [change for change in found.frames if change.a != change.b]
    shown = [(frames[change.stem], change.a, change.b) for change in changed]
    predict = [partial(segment_labelled, model, labels) for model in models]
    render_page(
        "compare.html",
        page,
        paths=[str(path) for path in paths],
        said=found.said,
        rows=[_row(difference) for difference in found.differences],
        gallery=changed_gallery(shown, predict[0], predict[1], labels.classes),
        changes=[
            (c.stem, f"{c.a:.3f}", f"{c.b:.3f}", f"{c.b - c.a:+.3f}")
            for c in found.frames
            if math.isfinite(c.b - c.a)
        ],
    )


def _row(difference: Difference) -> dict[str, str | int]:
    ends = difference.interval
    return {
        "name": difference.name,
        "a": f"{difference.a:.3f}",
        "b": f"{difference.b:.3f}",
        "difference": f"{difference.b - difference.a:+.3f}",
        "interval": "-" if ends is None else f"{ends[0]:+.3f} to {ends[1]:+.3f}",
        "n": difference.n,
        "verdict": difference.verdict,
    }


def _record(
    config: CompareConfig, paths: tuple[Path, Path], labels: LabelledDataset, found: Comparison
) -> dict[str, Any]:
    plain: dict[str, Any] = json_values(
        {
            "models": [{"path": path, "sha256": sha256_of(model_path(path))} for path in paths],
            "dataset_sha256": labels.sha256,
            "options": vars(config),
            "git_commit": git_commit(),
            "versions": versions(),
            "said": found.said,
            "differences": [
                {
                    "figure": difference.name,
                    "a": difference.a,
                    "b": difference.b,
                    "b_minus_a": difference.b - difference.a,
                    "interval": difference.interval,
                    "n": difference.n,
                    "verdict": difference.verdict,
                }
                for difference in found.differences
            ],
            "frames": [vars(change) for change in found.frames],
        }
    )
    return plain
