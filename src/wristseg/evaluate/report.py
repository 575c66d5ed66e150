"""``report.html``: one page that shows how a trained model does, in figures and pictures.

In: a run folder and its data set. Out: a self-contained page and the figures on it. Called at the
end of every training and by the demo, which adds its clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.data.split import Split, neighbours_in_train
from wristseg.errors import DataError
from wristseg.evaluate.frames import Evaluation, FrameResult, evaluate, segment_labelled
from wristseg.overlay import blend
from wristseg.pages import image_uri, png_uri, render_page
from wristseg.predict import Segmenter

__all__ = ["ReportText", "filmstrip", "report_run"]

#: Frames in each gallery; more make the page slow without showing more kinds of mistakes.
_GALLERY_FRAMES = 4
#: Width of one picture in a gallery row, pixels; three stand side by side.
_PICTURE_WIDTH = 320

_PLOTS = (
    (
        "results.png",
        "Curves",
        "Loss and validation IoU over the epochs; the dot is the kept model.",
    ),
    ("confusion_matrix.png", "Confusion", "Rows are labels, columns predictions."),
)


@dataclass(frozen=True)
class ReportText:
    """What a report says besides its figures.

    Attributes:
        title: Heading of the page.
        lead: One or two sentences below it.
        tiles: (name, value) pairs shown large, after the mean IoUs.
        next_steps: (what it does, command) pairs.
    """

    title: str
    lead: str
    tiles: tuple[tuple[str, str], ...]
    next_steps: tuple[tuple[str, str], ...]


def report_run(
    run_dir: Path,
    labels: LabelledDataset,
    *,
    text: ReportText,
    path: Path | None = None,
    clips: Sequence[Path] = (),
) -> Evaluation:
    """Evaluate a run's ``best.ckpt`` on the frames it was validated on, and write the page.

    Args:
        run_dir: Run folder with ``best.ckpt`` and the training's plots.
        labels: The data set the run was trained on.
        text: Title, lead, tiles and next steps.
        path: Where the page goes; ``report.html`` in the run folder where not given.
        clips: Overlay videos to show as film strips.

    Raises:
        CheckpointError: The run's checkpoint cannot be read.
        DataError: A validation frame is no longer in the data set.
    """
    segmenter = Segmenter.load(run_dir / "best.ckpt", runtime="torch")
    evaluation = evaluate(segmenter, labels, _validation_frames(segmenter, labels))
    render_page(
        "report.html",
        run_dir / "report.html" if path is None else path,
        title=text.title,
        lead=text.lead,
        tiles=(*_scores(evaluation), *text.tiles),
        held_out=_held_out(segmenter, labels),
        next_steps=text.next_steps,
        class_rows=_class_rows(evaluation),
        plots=[
            {"title": title, "note": note, "uri": png_uri(run_dir / name)}
            for name, title, note in _PLOTS
        ],
        galleries=_galleries(segmenter, labels, evaluation, clips),
        origin=_origin(segmenter),
    )
    return evaluation


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


def _validation_frames(segmenter: Segmenter, labels: LabelledDataset) -> tuple[LabelledFrame, ...]:
    held_out = set(segmenter.info.split.get("val", ()))
    frames = tuple(frame for frame in labels.frames if frame.stem in held_out)
    missing = sorted(held_out - {frame.stem for frame in frames})
    if missing or not frames:
        raise DataError(
            labels.layout.images_dir,
            f"validation frames of the checkpoint are not in the data set: {missing or 'all'}",
        )
    return frames


def _galleries(
    segmenter: Segmenter, labels: LabelledDataset, evaluation: Evaluation, clips: Sequence[Path]
) -> list[dict[str, object]]:
    ranked = evaluation.ranked()
    count = min(_GALLERY_FRAMES, max(1, len(ranked) // 2))
    galleries = [
        _gallery("Worst frames", ranked[:count], segmenter, labels),
        _gallery("Best frames", ranked[::-1][:count], segmenter, labels),
    ]
    return [*galleries, _clip_gallery(clips)] if clips else galleries


def _scores(evaluation: Evaluation) -> list[tuple[str, str]]:
    unlabeled, *drawn = evaluation.classes.names
    iou = evaluation.class_iou()
    return [
        ("mean IoU (val/iou)", f"{evaluation.mean_iou:.3f}"),
        # Gaps between outlines are a few pixels wide and weigh as much as the table in the mean.
        (f"mean IoU without {unlabeled}", f"{np.nanmean([iou[name] for name in drawn]):.3f}"),
    ]


def _held_out(segmenter: Segmenter, labels: LabelledDataset) -> str:
    split = segmenter.info.split
    val, train = tuple(split["val"]), tuple(split.get("train", ()))
    beside = neighbours_in_train(labels.frames, Split(train, val))
    said = f"Measured on {len(val)} validation frames that training did not see."
    if beside == 0:
        return said
    return (
        f"{said} {beside} of them have a neighbour from the same recording among the training "
        "frames, so the figures say little about new recordings; --split-by recording does."
    )


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
    return f"{part / whole:.3f}" if whole > 0 and np.isfinite(part) else "-"


def _gallery(
    title: str,
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
    note = "Frame, label and prediction side by side."
    return {"title": title, "note": note, "pictures": pictures}


def _clip_gallery(clips: Sequence[Path]) -> dict[str, object]:
    pictures = [{"uri": image_uri(filmstrip(clip)), "caption": clip.name} for clip in clips]
    note = "Overlays from left to right in time; the videos lie in the clips folder."
    return {"title": "Clips", "note": note, "pictures": pictures}


def _shrink(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Whole steps keep the edges of the overlay as the model drew them.
    step = max(1, round(image_rgb.shape[1] / _PICTURE_WIDTH))
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
