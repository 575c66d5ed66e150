"""Tell which annotations are suspicious: the judgement of ``wristseg qa``.

In: what ``qa_measure`` counted on each frame. Out: per frame the findings, each with a number from
0 (nothing) to 1 (surely wrong), and a sentence. A model is never simply believed: what it makes of
a class counts only as far as it differs from what it makes of that class in other frames, as in
confident learning (Northcutt, Jiang, Chuang 2021, https://arxiv.org/abs/1911.00068), where a label
is doubted by the mean confidence that its own class has. The other frames are those of the same
recording, which the same model judges under the same light, and the most alike of them: where a
model fails, it fails on similar frames alike. Called by ``qa``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wristseg.labeling.diversity import distances
from wristseg.labeling.qa_measure import Measured, OtherOrder, Region, least_pixels

__all__ = ["Finding", "Kind", "judge", "suspicion"]

Kind = Literal["class swapped", "part missing", "outline off", "order wrong"]

#: Fewer other frames of its recording than this say nothing about what is usual there.
_FEW = 5
#: So many frames that look alike are asked how usual something is there.
_ALIKE = 5
#: As bad as this quantile of them is usual: two of five, since a stretch of frames has two ends.
_ALIKE_QUANTILE = 0.75
#: From the median deviation to the standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826
#: Values that differ by less than this are the same, however alike the other frames are.
_LEAST_SIGMA = 0.03
#: Deviations from the usual at which a finding counts half, and per factor e of the odds.
_HALF_Z, _STEP_Z = 4.0, 0.8
#: Weaker findings are not told.
_LEAST_SCORE = 0.1
#: A further region of a class that is labelled at its place is rather the model's mistake.
_FURTHER = 0.5
#: Shifts below this share of the frame are not worth words.
_LEAST_SHIFT = 0.02


@dataclass(frozen=True)
class Finding:
    """Something that is probably wrong with the labels of a frame.

    Attributes:
        kind: What kind of mistake.
        classes: Ids of the classes it is about; the one whose annotations to look at first.
        score: 0 to 1.
        said: What a person should look at.
    """

    kind: Kind
    classes: tuple[int, ...]
    score: float
    said: str


@dataclass(frozen=True)
class _Usual:
    """What a number is in the other frames.

    Attributes:
        median: Their median.
        sigma: Their spread, robust.
    """

    median: float
    sigma: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> _Usual:
        median = float(np.median(values))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(values - median)))
        return cls(median, max(spread, _LEAST_SIGMA))

    def surprise(self, distance: float) -> float:
        """Turn how far a value lies on the bad side of the median into 0 to 1."""
        return float(1.0 / (1.0 + np.exp((_HALF_Z - distance / self.sigma) / _STEP_Z)))


class _Others:
    """The other frames' numbers, frame by frame.

    Args:
        measured: Of all frames.
        recordings: Recording of each.
        looks: (N, D) float32, their thumbnails.
    """

    def __init__(
        self,
        measured: Sequence[Measured],
        recordings: Sequence[str],
        looks: NDArray[np.float32],
    ) -> None:
        self._looks = looks
        self._recordings = np.array(recordings)
        self.iou = np.stack([m.iou for m in measured])  # (N, C)
        self.shares = np.stack([m.shares for m in measured])  # (N, C, C)
        self.labelled = np.stack([m.labelled for m in measured]).astype(np.float64)
        self.labelled[self.labelled == 0] = np.nan
        self.unlabelled = np.stack([_surest(m.regions, m.labelled.size) for m in measured])
        self.gains = np.array([max((o.gain for o in m.orders), default=np.nan) for m in measured])

    def usual(self, faults: NDArray[np.float64], number: int) -> _Usual | None:
        """Return what (N,) numbers, the larger the worse, are in the frames other than one.

        The worse of what is usual in its recording and on the frames that look most like it: where
        a model fails, it fails on similar frames alike, and a mistake in a label stands alone.

        Returns:
            None where no other frame has such a number.
        """
        kept, alike = self.kept(faults, number)
        if not kept.size:
            return None
        usual, near = _Usual.of(kept), _Usual.of(alike)
        median = max(usual.median, float(np.quantile(alike, _ALIKE_QUANTILE)))
        return _Usual(median, max(usual.sigma, near.sigma))

    def kept(
        self, values: NDArray[np.float64], number: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the other frames' values, and those of the frames most like it.

        Both are from its recording, where that has enough of them.
        """
        known = np.isfinite(values)
        known[number] = False
        near = known & (self._recordings == self._recordings[number])
        places = np.flatnonzero(near if near.sum() >= _FEW else known)
        away = distances(self._looks[places], self._looks[number])
        return values[places], values[places[np.argsort(away, kind="stable")[:_ALIKE]]]


def judge(
    measured: Sequence[Measured],
    recordings: Sequence[str],
    looks: NDArray[np.float32],
    names: Sequence[str],
) -> list[tuple[Finding, ...]]:
    """Judge all frames of a data set.

    Args:
        measured: What was counted on each frame.
        recordings: Recording of each frame.
        looks: (N, D) float32, thumbnails of the frames (``diversity.thumbnail``).
        names: Names of the classes.

    Returns:
        The findings of each frame, worst first.
    """
    if not measured:
        return []
    others = _Others(measured, recordings, looks)
    return [_judge_frame(frame, i, others, names) for i, frame in enumerate(measured)]


def suspicion(findings: Sequence[Finding]) -> float:
    """Return the suspicion of a frame, 0 to 1: that of its worst finding.

    Several findings are mostly one mistake seen from several sides, so they are not added up.
    """
    return max((finding.score for finding in findings), default=0.0)


def _judge_frame(
    frame: Measured, number: int, others: _Others, names: Sequence[str]
) -> tuple[Finding, ...]:
    swapped = _swapped(frame, number, others, names)
    told = {class_id for finding in swapped for class_id in finding.classes}
    missing = [f for f in _missing(frame, number, others, names) if f.classes[0] not in told]
    told |= {finding.classes[0] for finding in missing}
    outlines = [
        finding
        for class_id in range(1, len(names))
        if class_id not in told
        for finding in _outline(frame, class_id, number, others, names)
    ]
    found = [*swapped, *missing, *outlines, *_order(frame, number, others)]
    kept = [finding for finding in found if finding.score >= _LEAST_SCORE]
    return tuple(sorted(kept, key=lambda finding: -finding.score))


def _swapped(frame: Measured, number: int, others: _Others, names: Sequence[str]) -> list[Finding]:
    """Find regions that are predicted mostly as another named class."""
    taken: dict[int, tuple[int, float]] = {}
    for class_id in _judged(frame):
        share = frame.shares[class_id]
        other = int(np.nanargmax(share))
        lies_beside = frame.predicted[class_id] >= least_pixels(frame.pixels)
        if other != class_id and not (lies_beside and not _mutual(frame, class_id, other)):
            taken[class_id] = other, _excess(frame, class_id, other, number, others)
    findings = []
    for class_id, (other, score) in taken.items():
        back = taken.get(other)
        if back is not None and back[0] == class_id:
            if class_id < other:
                findings.append(_swap(frame, class_id, other, max(score, back[1]), names))
        else:
            said = (
                f"{names[class_id]} looks like {names[other]}: {frame.shares[class_id, other]:.0%} "
                f"of what is labelled {names[class_id]} is predicted as {names[other]}"
            )
            findings.append(Finding("class swapped", (class_id, other), score, said))
    return findings


def _mutual(frame: Measured, one: int, other: int) -> bool:
    """Tell whether each of two labelled regions is predicted mostly as the other one."""
    shares = frame.shares[other]
    return bool(np.isfinite(shares).all() and int(shares.argmax()) == one)


def _excess(frame: Measured, class_id: int, other: int, number: int, others: _Others) -> float:
    """Return by how much more than usual a class is predicted as another one, 0 to 1."""
    share = float(frame.shares[class_id, other])
    usual = others.usual(others.shares[:, class_id, other], number)
    if usual is None:
        return share
    return max(0.0, share - usual.median) * usual.surprise(share - usual.median)


def _swap(frame: Measured, one: int, other: int, score: float, names: Sequence[str]) -> Finding:
    there, back = frame.shares[one, other], frame.shares[other, one]
    said = (
        f"{names[one]} and {names[other]} look swapped: {there:.0%} of what is labelled "
        f"{names[one]} is predicted as {names[other]}, and {back:.0%} the other way round"
    )
    return Finding("class swapped", (one, other), score, said)


def _missing(frame: Measured, number: int, others: _Others, names: Sequence[str]) -> list[Finding]:
    """Find classes that the model sees with confidence and the label does not have."""
    findings = []
    for class_id in sorted({region.class_id for region in frame.regions}):
        has_some = bool(frame.labelled[class_id] >= least_pixels(frame.pixels))
        if has_some and 2 * frame.both[class_id] < frame.labelled[class_id]:
            continue  # the label has it, but at another place: its outline is off
        regions = [region for region in frame.regions if region.class_id == class_id]
        region = max(regions, key=lambda region: region.sure * region.pixels)
        score = _unlabelled_score(region, number, others)
        findings.append(_gap(frame, region, score * (_FURTHER if has_some else 1.0), names))
    return findings


def _gap(frame: Measured, region: Region, score: float, names: Sequence[str]) -> Finding:
    under = "nothing" if region.under == 0 else names[region.under]
    said = (
        f"{names[region.class_id]} seems to be missing: the model sees it on "
        f"{region.pixels / frame.pixels:.1%} of the picture, {region.sure:.0%} sure, and the label "
        f"says {under} there"
    )
    about = (region.class_id, region.under) if region.under else (region.class_id,)
    return Finding("part missing", about, score, said)


def _unlabelled_score(region: Region, number: int, others: _Others) -> float:
    """Weigh a region by its confidence, its size, and how rare such regions are elsewhere."""
    class_id = region.class_id
    own, _ = others.kept(others.shares[:, class_id, class_id], number)
    size, _ = others.kept(others.labelled[:, class_id], number)
    sure = min(1.0, region.sure / max(float(np.median(own)), 0.5)) if own.size else region.sure
    large = min(1.0, 2.0 * region.pixels / float(np.median(size))) if size.size else 1.0
    elsewhere = others.kept(others.unlabelled[:, class_id], number)
    often = [(there >= 0.5 * region.sure * region.pixels).mean() for there in elsewhere]
    return sure * large * float(1.0 - max(often)) ** 2


def _surest(regions: Sequence[Region], classes: int) -> NDArray[np.float64]:
    """(C,) float64: pixels times confidence of the largest region that the label does not have."""
    found = np.zeros(classes)
    for region in regions:
        found[region.class_id] = max(found[region.class_id], region.sure * region.pixels)
    return found


def _outline(
    frame: Measured, class_id: int, number: int, others: _Others, names: Sequence[str]
) -> list[Finding]:
    """Find a class that fits the prediction far worse than it does in other frames."""
    if frame.labelled[class_id] < least_pixels(frame.pixels):
        return []
    iou, usual = float(frame.iou[class_id]), others.usual(1 - others.iou[:, class_id], number)
    if usual is None or 1 - usual.median <= iou:
        return []
    expected = 1 - usual.median
    score = (expected - iou) / expected * usual.surprise(expected - iou)
    said = (
        f"the outline of {names[class_id]} is off: IoU with the prediction is {iou:.2f} where "
        f"{expected:.2f} is usual{_how(frame, class_id)}"
    )
    return [Finding("outline off", (class_id,), score, said)]


def _how(frame: Measured, class_id: int) -> str:
    """Say how labelled and predicted region differ, where it can be said in a few words."""
    labelled, predicted = frame.labelled[class_id], frame.predicted[class_id]
    if predicted == 0:
        return "; the model does not see it at all"
    overlap = frame.both[class_id] > 0.1 * labelled
    if overlap and max(labelled, predicted) > 1.5 * min(labelled, predicted):
        return f"; it is {labelled / predicted:.1f} times as large as the predicted one"
    right, down = frame.centres_xy[0, class_id] - frame.centres_xy[1, class_id]
    parts = []
    if abs(right) >= _LEAST_SHIFT:
        parts.append(f"{abs(right):.0%} of the width to the {'right' if right > 0 else 'left'} of")
    if abs(down) >= _LEAST_SHIFT:
        parts.append(f"{abs(down):.0%} of the height {'below' if down > 0 else 'above'}")
    return f"; it lies {' and '.join(parts)} the predicted one" if parts else ""


def _order(frame: Measured, number: int, others: _Others) -> list[Finding]:
    """Find frames that another draw order would suit better."""
    orders = [order for order in frame.orders if order.pixels >= least_pixels(frame.pixels)]
    if not orders:
        return []
    best: OtherOrder = max(orders, key=lambda order: order.gain)
    usual = others.usual(others.gains, number)
    score = max(0.0, best.gain)
    if usual is not None:
        score *= usual.surprise(best.gain - usual.median)
    said = (
        f"drawn in the wrong order: on {best.pixels / frame.pixels:.1%} of the picture the "
        f"prediction fits the order {best.tag!r}; is the mark in selections.json right?"
    )
    return [Finding("order wrong", (), score, said)]


def _judged(frame: Measured) -> list[int]:
    """Return the named classes of which enough is labelled to be judged."""
    least = least_pixels(frame.pixels)
    return [c for c in range(1, frame.labelled.size) if frame.labelled[c] >= least]
