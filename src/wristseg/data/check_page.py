"""Lay a ``CheckReport`` out as one HTML page with overlays of the frames to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from wristseg.data.check_report import CheckReport
from wristseg.data.check_rules import Finding
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.errors import DataError
from wristseg.overlay import blend
from wristseg.pages import image_uri, render_page

__all__ = ["write_page"]

#: Enough to see what is going on; the page stays around a megabyte.
_FLAGGED_SHOWN = 24
_SAMPLES_SHOWN = 12
_WIDTH = 400


@dataclass(frozen=True)
class _Picture:
    uri: str
    caption: str


def write_page(report: CheckReport, *, dataset: LabelledDataset | None) -> None:
    """Write ``report.page``.

    Args:
        report: What was found.
        dataset: Where overlays come from; None if nothing could be read.
    """
    flagged, samples = [], []
    if dataset is not None:
        captions = _captions(report.findings)
        by_stem = {frame.stem: frame for frame in dataset.frames}
        wanted = [stem for stem in captions if stem in by_stem][:_FLAGGED_SHOWN]
        flagged = _pictures(dataset, [by_stem[stem] for stem in wanted], captions)
        plain = [frame for frame in dataset.frames if frame.stem not in wanted]
        samples = _pictures(dataset, _spread(plain, _SAMPLES_SHOWN), {})
    render_page(
        "check.html",
        report.page,
        report=report,
        topics=_by_topic(report.findings),
        flagged=flagged,
        samples=samples,
    )


def _captions(findings: Iterable[Finding]) -> dict[str, str]:
    """Return what is said about each frame, frames of the worst findings first."""
    captions: dict[str, str] = {}
    for finding in findings:
        if finding.stem is not None:
            before = f"{captions[finding.stem]}; " if finding.stem in captions else ""
            captions[finding.stem] = f"{before}{finding.severity}: {finding.text}"
    return captions


def _by_topic(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    topics: dict[str, list[Finding]] = {}
    for finding in findings:
        topics.setdefault(finding.topic, []).append(finding)
    return topics


def _spread(frames: Sequence[LabelledFrame], count: int) -> list[LabelledFrame]:
    """Return frames from all over the data set, so that each recording shows."""
    places = np.unique(np.linspace(0, len(frames) - 1, count).astype(int)) if frames else ()
    return [frames[place] for place in places]


def _pictures(
    dataset: LabelledDataset, frames: Iterable[LabelledFrame], captions: dict[str, str]
) -> list[_Picture]:
    pictures = []
    for frame in frames:
        try:
            uri = _overlay_uri(dataset, frame)
        except DataError:
            continue  # It is in the list of findings; there is nothing to show.
        caption = captions.get(frame.stem, f"{frame.stem} ({frame.tag})")
        pictures.append(_Picture(uri, caption))
    return pictures


def _overlay_uri(dataset: LabelledDataset, frame: LabelledFrame) -> str:
    height, width = frame.size_hw
    size_wh = (min(_WIDTH, width), max(1, round(height * min(_WIDTH, width) / width)))
    image = Image.fromarray(dataset.image(frame)).resize(size_wh, Image.Resampling.BILINEAR)
    mask = Image.fromarray(dataset.mask(frame)).resize(size_wh, Image.Resampling.NEAREST)
    return image_uri(blend(np.array(image), np.array(mask), dataset.classes, alpha=0.4), quality=80)
