"""``qa.html``: the most suspicious frames with their labels, predictions and what differs.

In: the ranking. Out: one page that opens without a server. Called by ``cli.qa``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wristseg.data.labels import LabelledFrame
from wristseg.data.progress import with_progress
from wristseg.labeling.qa import JudgedFrame, Predictor, predicted_mask
from wristseg.labeling.qa_labels import AllLabels
from wristseg.overlay import blend, errors_rgb
from wristseg.pages import render_page, side_by_side

__all__ = ["PAGE", "write_page"]

PAGE = "qa.html"

#: From here on a frame is counted as suspicious.
SUSPICIOUS = 0.5


def write_page(
    path: Path,
    labels: AllLabels,
    judged: Sequence[JudgedFrame],
    model_of: Callable[[LabelledFrame], Predictor],
    *,
    top: int,
    said: str,
    origin: Sequence[tuple[str, str]],
    next_steps: Sequence[tuple[str, str]],
) -> None:
    """Write the page.

    Args:
        path: The file.
        labels: The data set.
        judged: Its frames, ranked.
        model_of: The model that judged a frame.
        top: Frames that are shown with pictures.
        said: What judged them, one sentence.
        origin: (name, value) pairs about model and data.
        next_steps: (what it does, command) pairs.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    shown = judged[:top]
    classes = labels.dataset.classes
    cards = with_progress(
        _cards(shown, labels, model_of), total=len(shown), doing="drawing the page"
    )
    render_page(
        "qa.html",
        path,
        name=labels.paths.dataset_path.resolve().name,
        said=said,
        frames=len(judged),
        suspicious=sum(frame.suspicion >= SUSPICIOUS for frame in judged),
        excluded=sum(frame.excluded for frame in judged),
        unreadable=labels.unreadable,
        legend=[
            (name, "#{:02x}{:02x}{:02x}".format(*color))
            for name, color in zip(classes.names[1:], classes.colors_rgb[1:], strict=True)
        ],
        cards=list(cards),
        rows=[_row(rank, frame) for rank, frame in enumerate(judged, start=1)],
        origin=origin,
        next_steps=next_steps,
    )


def _cards(
    shown: Sequence[JudgedFrame],
    labels: AllLabels,
    model_of: Callable[[LabelledFrame], Predictor],
) -> Iterator[dict[str, object]]:
    dataset = labels.dataset
    for rank, judged in enumerate(shown, start=1):
        frame, model = judged.frame, model_of(judged.frame)
        frame_rgb, label = dataset.image(frame), dataset.mask(frame)
        mask = predicted_mask(model.probabilities(frame_rgb), model.contract, frame.size_hw)
        blends = [blend(frame_rgb, ids, dataset.classes) for ids in (label, mask)]
        row = [frame_rgb, *blends, errors_rgb(frame_rgb, label, mask)]
        findings = [(f"{f.score:.2f}", f.kind, f.said) for f in judged.findings]
        yield {**_row(rank, judged), "uri": side_by_side(row), "findings": findings}


def _row(rank: int, judged: JudgedFrame) -> dict[str, object]:
    return {
        "rank": rank,
        "file": judged.frame.image_path.name,
        "tag": judged.frame.tag,
        "suspicion": f"{judged.suspicion:.2f}",
        "strong": judged.suspicion >= SUSPICIOUS,
        "agreement": f"{judged.agreement:.2f}",
        "excluded": judged.excluded,
        "kinds": ", ".join(dict.fromkeys(finding.kind for finding in judged.findings)),
    }
