"""Stage ``wristseg check``: look a data set over before training on it.

In comes where the data set lies; out go a ``CheckReport`` and the same as one HTML page with
overlays. Unlike ``masks`` and ``train`` it does not stop at a fault: whatever can be read is
judged, the rest is listed. Called by ``cli.check`` and the demo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wristseg.configs import CheckConfig, TrainConfig
from wristseg.data.check_facts import FrameFacts, measure
from wristseg.data.check_page import write_page
from wristseg.data.check_report import CheckReport, ClassCount
from wristseg.data.check_rules import (
    Finding,
    SplitCounts,
    judge_classes,
    judge_images,
    judge_split,
    judge_tags,
)
from wristseg.data.labelled import LabelledDataset
from wristseg.data.labels import examine_labels
from wristseg.data.split import make_split
from wristseg.errors import DataError, UsageError

__all__ = ["check_dataset"]

_SEVERITIES = ("error", "warning", "note")


def check_dataset(config: CheckConfig) -> CheckReport:
    """Check a data set and write the page about it.

    Raises:
        UsageError: A named folder or file is not there, or ``output`` is no name of a page.
        OSError: The page cannot be written.
    """
    name = config.dataset_path.resolve().name
    page = Path("outputs/check") / f"{name}.html" if config.output is None else config.output
    # Any other name may be that of the COCO file, which the page would replace.
    if page.suffix.lower() not in {".html", ".htm"} or page.is_dir():
        raise UsageError(f"--output {page}: expected the name of a page, ending in .html")
    try:
        dataset, problems = examine_labels(config.dataset())
    except DataError as error:
        findings = tuple(Finding("error", "files", text) for text in error.problems)
        report = CheckReport(config.dataset_path, page, findings)
        write_page(report, dataset=None)
        return report
    findings = tuple(Finding.of(problem) for problem in problems)
    report = _judge(config, page, dataset, findings)
    write_page(report, dataset=dataset)
    return report


def _judge(
    config: CheckConfig, page: Path, dataset: LabelledDataset, found: tuple[Finding, ...]
) -> CheckReport:
    facts = measure(dataset)
    counts: SplitCounts | None = None
    split_findings: list[Finding] = []
    # The split of the frames that errors happen to leave is not the one training would draw.
    if not any(finding.severity == "error" for finding in found):
        counts, split_findings = _look_for_leaks(config, dataset, facts)
    findings = [
        *found,
        *_unlabelled(dataset),
        *judge_images(facts),
        *split_findings,
        *judge_tags(facts),
        *judge_classes(facts, dataset.classes),
    ]
    frames = dataset.frames
    return CheckReport(
        dataset_path=config.dataset_path,
        page=page,
        findings=tuple(sorted(findings, key=lambda f: _SEVERITIES.index(f.severity))),
        frames=len(frames),
        frames_per_tag=dict(sorted(Counter(frame.tag for frame in frames).items())),
        frames_per_recording=dict(sorted(Counter(frame.recording for frame in frames).items())),
        excluded=len(dataset.excluded),
        without_annotation=len(dataset.without_annotation),
        classes=_histogram(dataset, facts),
        split=counts,
    )


def _unlabelled(dataset: LabelledDataset) -> list[Finding]:
    names = ", ".join(dataset.without_annotation)
    return [Finding("note", "labels", f"without annotation, not used: {names}")] if names else []


def _look_for_leaks(
    config: CheckConfig, dataset: LabelledDataset, facts: Sequence[FrameFacts]
) -> tuple[SplitCounts | None, list[Finding]]:
    try:
        split = make_split(
            dataset.frames,
            val_fraction=TrainConfig.val_fraction,
            seed=config.seed,
            split_by=config.split_by,
        )
    except DataError as error:
        return None, [Finding("error", "split", text) for text in error.problems]
    return judge_split(facts, split, dataset.classes)


def _histogram(dataset: LabelledDataset, facts: Sequence[FrameFacts]) -> tuple[ClassCount, ...]:
    if not facts:
        return ()
    pixels = np.array([fact.pixels for fact in facts], np.int64)
    total = max(int(pixels.sum()), 1)
    return tuple(
        ClassCount(
            name, color, int(column.sum()), int(column.sum()) / total, int((column > 0).sum())
        )
        for name, color, column in zip(
            dataset.classes.names, dataset.classes.colors_rgb, pixels.T, strict=True
        )
    )
