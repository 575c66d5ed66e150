"""Tell which annotations are suspicious: the judgement of ``wristseg qa``.

In: what ``qa_measure`` counted on each frame. Out: per frame the findings, each with a number from
0 (nothing) to 1 (surely wrong), and a sentence. A model is never simply believed: what it makes of
a class counts only as far as it differs from what it makes of that class elsewhere (``qa_others``),
as in confident learning (Northcutt, Jiang, Chuang 2021, https://arxiv.org/abs/1911.00068), where a
label is doubted by the confidence that its own class usually has. Called by ``qa``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wristseg.labeling.qa_measure import Measured, Region, least_pixels
from wristseg.labeling.qa_others import AllFrames, Elsewhere

__all__ = ["Finding", "Kind", "judge", "suspicion"]

Kind = Literal["class swapped", "part missing", "outline off", "order wrong"]

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
        classes: Ids of the classes it is about; the one to look at first, if there is one.
        score: 0 to 1.
        said: What a person should look at.
    """

    kind: Kind
    classes: tuple[int, ...]
    score: float
    said: str


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
    frames = AllFrames(measured, recordings, looks)
    return [_judge_frame(frame, frames.around(i), names) for i, frame in enumerate(measured)]


def suspicion(findings: Sequence[Finding]) -> float:
    """Return the suspicion of a frame, 0 to 1: that of its worst finding.

    Several findings are mostly one mistake seen from several sides, so they are not added up.
    """
    return max((finding.score for finding in findings), default=0.0)


def _judge_frame(
    frame: Measured, elsewhere: Elsewhere, names: Sequence[str]
) -> tuple[Finding, ...]:
    swapped = _swapped(frame, elsewhere, names)
    told = {class_id for finding in swapped for class_id in finding.classes}
    missing = [f for f in _missing(frame, elsewhere, names) if f.classes[0] not in told]
    told |= {finding.classes[0] for finding in missing}
    outlines = [
        finding
        for class_id in _judged(frame)
        if class_id not in told
        for finding in _outline(frame, class_id, elsewhere, names)
    ]
    found = [*swapped, *missing, *outlines, *_order(frame, elsewhere)]
    kept = [finding for finding in found if finding.score >= _LEAST_SCORE]
    return tuple(sorted(kept, key=lambda finding: -finding.score))


def _judged(frame: Measured) -> list[int]:
    """Return the named classes of which enough is labelled to be judged."""
    least = least_pixels(frame.pixels)
    return [c for c in range(1, frame.labelled.size) if frame.labelled[c] >= least]


def _swapped(frame: Measured, elsewhere: Elsewhere, names: Sequence[str]) -> list[Finding]:
    """Find labelled regions that are predicted mostly as another named class."""
    mostly = {class_id: int(np.argmax(frame.shares[class_id])) for class_id in _judged(frame)}
    findings = []
    for class_id, other in mostly.items():
        mutual = mostly.get(other) == class_id
        # A class that is predicted somewhere else is outlined at the wrong place.
        lies_beside = frame.predicted[class_id] >= least_pixels(frame.pixels)
        if other == class_id or (mutual and other < class_id) or (lies_beside and not mutual):
            continue
        score = _excess(frame, class_id, other, elsewhere)
        if mutual:
            score = max(score, _excess(frame, other, class_id, elsewhere))
        said = _swap_said(frame, class_id, other, names, mutual=mutual)
        findings.append(Finding("class swapped", (class_id, other), score, said))
    return findings


def _excess(frame: Measured, class_id: int, other: int, elsewhere: Elsewhere) -> float:
    """Return by how much more than usual a class is predicted as another one, 0 to 1."""
    share = float(frame.shares[class_id, other])
    usual = elsewhere.usual(elsewhere.frames.shares[:, class_id, other])
    if usual is None:
        return share
    large = _largeness(int(frame.labelled[class_id]), class_id, elsewhere)
    return large * max(0.0, share - usual.value) * usual.surprise(share)


def _largeness(pixels: int, class_id: int, elsewhere: Elsewhere) -> float:
    """Return 1 from half the usual size of a class on, and less for less.

    What is left of a thing at the edge of the picture, or behind another, is hard for a model.
    """
    sizes = elsewhere.values(elsewhere.frames.labelled[:, class_id])
    return min(1.0, 2.0 * pixels / float(np.median(sizes))) if sizes.size else 1.0


def _swap_said(frame: Measured, one: int, other: int, names: Sequence[str], *, mutual: bool) -> str:
    there, back = frame.shares[one, other], frame.shares[other, one]
    what = f"{there:.0%} of what is labelled {names[one]} is predicted as {names[other]}"
    if mutual:
        return (
            f"{names[one]} and {names[other]} look swapped: {what}, and {back:.0%} the other way "
            "round"
        )
    return f"{names[one]} looks like {names[other]}: {what}"


def _missing(frame: Measured, elsewhere: Elsewhere, names: Sequence[str]) -> list[Finding]:
    """Find classes that the model sees with confidence and the label does not have."""
    findings = []
    for class_id in sorted({region.class_id for region in frame.regions}):
        has_some = bool(frame.labelled[class_id] >= least_pixels(frame.pixels))
        if has_some and 2 * frame.both[class_id] < frame.labelled[class_id]:
            continue  # the label has it, but at another place: its outline is off
        regions = [region for region in frame.regions if region.class_id == class_id]
        region = max(regions, key=lambda region: region.weight)
        score = _unlabelled_score(region, elsewhere) * (_FURTHER if has_some else 1.0)
        about = (class_id, region.under) if region.under else (class_id,)
        said = (
            f"{names[class_id]} seems to be missing: the model sees it on "
            f"{region.pixels / frame.pixels:.1%} of the picture, {region.sure:.0%} sure, and the "
            f"label says {names[region.under] if region.under else 'nothing'} there"
        )
        findings.append(Finding("part missing", about, score, said))
    return findings


def _unlabelled_score(region: Region, elsewhere: Elsewhere) -> float:
    """Weigh a region by its confidence, its size, and how rare such regions are elsewhere."""
    class_id, frames = region.class_id, elsewhere.frames
    own = elsewhere.values(frames.shares[:, class_id, class_id])
    sure = min(1.0, region.sure / max(float(np.median(own)), 0.5)) if own.size else region.sure
    large = _largeness(region.pixels, class_id, elsewhere)
    often = elsewhere.how_often(frames.unlabelled[:, class_id], 0.5 * region.weight)
    return sure * large * (1.0 - often) ** 2


def _outline(
    frame: Measured, class_id: int, elsewhere: Elsewhere, names: Sequence[str]
) -> list[Finding]:
    """Find a class that fits the prediction far worse than it does in other frames."""
    iou = float(frame.iou[class_id])
    usual = elsewhere.usual(1.0 - elsewhere.frames.iou[:, class_id])
    if usual is None or 1.0 - usual.value <= iou:
        return []
    expected = 1.0 - usual.value
    large = _largeness(int(frame.labelled[class_id]), class_id, elsewhere)
    score = large * (expected - iou) / expected * usual.surprise(1.0 - iou)
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


def _order(frame: Measured, elsewhere: Elsewhere) -> list[Finding]:
    """Find a frame that another draw order would suit better."""
    orders = [order for order in frame.orders if order.pixels >= least_pixels(frame.pixels)]
    if not orders:
        return []
    best = max(orders, key=lambda order: order.gain)
    usual = elsewhere.usual(elsewhere.frames.gains)
    score = max(0.0, best.gain) * (1.0 if usual is None else usual.surprise(best.gain))
    said = (
        f"drawn in the wrong order: on {best.pixels / frame.pixels:.1%} of the picture the "
        f"prediction fits the order {best.tag!r}; is the mark in selections.json right?"
    )
    return [Finding("order wrong", (), score, said)]
