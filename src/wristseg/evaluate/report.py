"""``report.html``: one page that shows how a trained model does, in figures and pictures.

In: a run folder, its model and an evaluation. Out: a self-contained page. Called at the end of
every training and by the demo, which adds its clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from wristseg.data.masks import LabelledDataset
from wristseg.evaluate.frames import Evaluation, FrameResult, segment_labelled
from wristseg.overlay import blend
from wristseg.pages import image_uri, png_uri, render_page
from wristseg.predict import Segmenter

__all__ = ["ReportText", "filmstrip", "write_report"]

#: Frames in each gallery; more make the page slow without showing more kinds of mistakes.
GALLERY_FRAMES = 4
#: Width of one picture in a gallery row, pixels; three stand side by side.
PICTURE_WIDTH = 320

_PLOTS = (
    ("results.png", "Curves", "Loss and validation IoU over the epochs; the dot is the kept model."),
    ("confusion_matrix.png", "Confusion", "Rows are labels, columns predictions, rows sum to 1."),
)


@dataclass(frozen=True)
class ReportText:
    """What a report says besides its figures.

    Attributes:
        title: Heading of the page.
        lead: One or two sentences below it.
        tiles: (name, value) pairs shown large.
        next_steps: (what it does, command) pairs.
    """

    title: str
    lead: str
    tiles: tuple[tuple[str, str], ...]
    next_steps: tuple[tuple[str, str], ...]


def write_report(
    path: Path,
    run_dir: Path,
    *,
    text: ReportText,
    segmenter: Segmenter,
    labels: LabelledDataset,
    evaluation: Evaluation,
    clips: Sequence[Path] = (),
) -> None:
    """Write the page.

    Args:
        path: Where to.
        run_dir: Run folder, whose plots are shown.
        text: Title, lead, tiles and next steps.
        segmenter: The model that was evaluated.
        labels: The data set it was evaluated on.
        evaluation: Its result.
        clips: Overlay videos to show as film strips.
    """
    ranked = evaluation.ranked()
    count = min(GALLERY_FRAMES, len(ranked) // 2 or 1)
    triple = "Frame, label and prediction side by side."
    galleries = [
        _gallery("Worst frames", triple, ranked[:count], segmenter, labels),
        _gallery("Best frames", triple, ranked[::-1][:count], segmenter, labels),
    ]
    if clips:
        galleries.append(_clip_gallery(clips))
    render_page(
        "report.html",
        path,
        title=text.title,
        lead=text.lead,
        tiles=text.tiles,
        next_steps=text.next_steps,
        class_rows=_class_rows(evaluation),
        plots=[
            {"title": title, "note": note, "uri": png_uri(run_dir / name)}
            for name, title, note in _PLOTS
        ],
        galleries=galleries,
        origin=_origin(segmenter),
    )


def filmstrip(video: Path, *, count: int = 6) -> NDArray[np.uint8]:
    """Return ``count`` frames of a video, evenly spaced, side by side.

    Returns:
        (h, w, 3) uint8, RGB.
    """
    with av.open(str(video)) as container:
        frames = [
            frame.reformat(width=240, height=240 * frame.height // frame.width)
            for frame in container.decode(video=0)
        ]
    picks = np.linspace(0, len(frames) - 1, count).round().astype(int)
    return np.hstack([frames[pick].to_ndarray(format="rgb24") for pick in picks])


def _class_rows(evaluation: Evaluation) -> list[dict[str, str]]:
    confusion = evaluation.confusion
    hits, labelled, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    iou = evaluation.class_iou()
    return [
        {
            "name": name,
            "color": "#{:02x}{:02x}{:02x}".format(*evaluation.classes.colors_rgb[class_id]),
            "iou": _ratio(iou[name], 1.0),
            "precision": _ratio(hits[class_id], predicted[class_id]),
            "recall": _ratio(hits[class_id], labelled[class_id]),
            "share": f"{labelled[class_id] / max(confusion.sum(), 1):.1%}",
        }
        for class_id, name in enumerate(evaluation.classes.names)
    ]


def _ratio(part: float, whole: float) -> str:
    return f"{part / whole:.3f}" if whole > 0 and np.isfinite(part) else "–"


def _gallery(
    title: str,
    note: str,
    results: Sequence[FrameResult],
    segmenter: Segmenter,
    labels: LabelledDataset,
) -> dict[str, object]:
    pictures = []
    for result in results:
        frame_rgb, label, prediction = segment_labelled(segmenter, labels, result.frame)
        blends = [blend(frame_rgb, mask, segmenter.classes) for mask in (label, prediction)]
        row = np.hstack([_shrink(picture) for picture in (frame_rgb, *blends)])
        caption = f"{result.frame.stem} ({result.frame.tag}), IoU {result.iou:.3f}"
        pictures.append({"uri": image_uri(row), "caption": caption})
    return {"title": title, "note": note, "pictures": pictures, "wide": True}


def _clip_gallery(clips: Sequence[Path]) -> dict[str, object]:
    pictures = [{"uri": image_uri(filmstrip(clip)), "caption": clip.name} for clip in clips]
    note = "Overlays from left to right in time; the videos lie in the clips folder."
    return {"title": "Clips", "note": note, "pictures": pictures, "wide": True}


def _shrink(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Whole steps keep the edges of the overlay as the model drew them.
    step = max(1, round(image_rgb.shape[1] / PICTURE_WIDTH))
    return np.ascontiguousarray(image_rgb[::step, ::step])


def _origin(segmenter: Segmenter) -> list[tuple[str, str]]:
    info = segmenter.info
    height, width = info.preprocess.size_hw
    return [
        ("network input (h x w)", f"{height} x {width}"),
        ("start weights", str(info.weights_source)),
        ("data set, SHA-256", str(info.dataset_sha256)),
        ("code", str(info.git_commit)),
        ("versions", ", ".join(f"{name} {number}" for name, number in info.versions.items())),
    ]
