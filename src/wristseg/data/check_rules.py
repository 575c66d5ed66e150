"""Judge a data set: each rule turns what was read and measured into findings.

An ``error`` makes training wrong or impossible, a ``warning`` probably is a mistake, a ``note`` is
worth a look. Called by ``data.check``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wristseg.classes import ClassTable
from wristseg.data.check_facts import FrameFacts, duplicate_images
from wristseg.data.problems import Problem
from wristseg.data.split import Split, neighbours_in_train
from wristseg.data.tag_hints import tag_hint

__all__ = [
    "Finding",
    "Severity",
    "SplitCounts",
    "judge_classes",
    "judge_images",
    "judge_split",
    "judge_tags",
]

Severity = Literal["error", "warning", "note"]

#: A class on fewer frames than this share may well be missing from one by right.
_USUAL_SHARE = 0.95


@dataclass(frozen=True)
class Finding:
    """One thing to know about the data set.

    Attributes:
        severity: How bad it is.
        topic: What it is about, in a few words.
        text: What was found, where, and what to do.
        stem: The frame to look at, or None.
    """

    severity: Severity
    topic: str
    text: str
    stem: str | None = None

    @classmethod
    def of(cls, problem: Problem) -> Finding:
        """Take over what a reader found."""
        return cls(problem.severity, problem.topic, problem.text, problem.stem)


@dataclass(frozen=True)
class SplitCounts:
    """Sizes of the split that was looked at.

    Attributes:
        train: Training frames.
        val: Validation frames.
        neighbours: Validation frames next to a training frame of the same recording.
    """

    train: int
    val: int
    neighbours: int


def judge_images(facts: Sequence[FrameFacts]) -> list[Finding]:
    """Report images that do not decode."""
    return [
        Finding("error", "image files", fact.damage, fact.frame.stem)
        for fact in facts
        if fact.damage is not None
    ]


def judge_tags(facts: Sequence[FrameFacts]) -> list[Finding]:
    """Report frames whose overlaps do not fit their tag."""
    findings = []
    for fact in facts:
        frame = fact.frame
        if frame.coco is None or fact.damage is not None:
            continue
        hint = tag_hint(frame.stem, frame.tag, fact.overlap, frame.size_hw)
        if hint is not None:
            findings.append(Finding(hint.severity, "tags", hint.text, frame.stem))
    return findings


def judge_classes(facts: Sequence[FrameFacts], classes: ClassTable) -> list[Finding]:
    """Report classes that nobody drew, and frames that lack a class nearly all others have."""
    findings = []
    for class_id, name in list(enumerate(classes.names))[1:]:
        without = [fact for fact in facts if fact.damage is None and fact.pixels[class_id] == 0]
        present = 1 - len(without) / max(len(facts), 1)
        if present == 0:
            text = (
                f"{name} is on no frame, and training would refuse that; label some, or leave the"
                " class out of the table in dataset.yaml"
            )
            findings.append(Finding("error", "classes", text))
        elif present >= _USUAL_SHARE:
            findings += [
                Finding(
                    "note",
                    "classes",
                    f"{fact.frame.stem} has no {name}, which {present:.0%} of the frames have",
                    fact.frame.stem,
                )
                for fact in without
            ]
    return findings


def judge_split(
    facts: Sequence[FrameFacts], split: Split, classes: ClassTable
) -> tuple[SplitCounts, list[Finding]]:
    """Report what training and validation share, and classes that only validation has."""
    frames = [fact.frame for fact in facts]
    train = set(split.train)
    neighbours = neighbours_in_train(frames, split)
    findings = [_duplicate(group, train) for group in duplicate_images(frames)]
    if neighbours:
        text = (
            f"{neighbours} of {len(split.val)} validation frames are next to a training frame of"
            " their recording; val/iou says little about new recordings (--split-by recording)"
        )
        findings.append(Finding("note", "leak", text))
    for class_id, name in enumerate(classes.names):
        sides = {fact.frame.stem in train for fact in facts if fact.pixels[class_id]}
        if sides == {False} and class_id > 0:
            text = f"{name} is on validation frames only; label more frames with it"
            findings.append(Finding("error", "split", text))
    return SplitCounts(len(split.train), len(split.val), neighbours), findings


def _duplicate(group: tuple[str, ...], train: set[str]) -> Finding:
    names = ", ".join(group)
    if len({stem in train for stem in group}) > 1:
        text = f"{names} are the same image, in training and in validation; exclude all but one"
        return Finding("error", "leak", text, group[0])
    return Finding("warning", "duplicates", f"{names} are the same image", group[0])
