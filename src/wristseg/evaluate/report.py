"""``report.html``: one page that shows how a model does, in figures and pictures.

In: a run folder or a measured model. Out: a self-contained page, and the figures in
``metrics.json``. Called at the end of every training, by the demo, which adds its clips, by
``wristseg val`` and after the folds.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wristseg.artifacts import write_json
from wristseg.data.labels import LabelledDataset
from wristseg.evaluate.figures import HEADLINES, Figure
from wristseg.evaluate.frames import segment_labelled
from wristseg.evaluate.galleries import Gallery, clip_gallery, frame_galleries
from wristseg.evaluate.measure import Measured, measure
from wristseg.evaluate.sides import choose_frames
from wristseg.model_info import ModelInfo
from wristseg.pages import png_uri, render_page
from wristseg.predict import Segmenter

__all__ = ["Plot", "ReportText", "Table", "origin_rows", "report_run", "write_report"]

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
        tiles: (name, value) pairs shown large, after the scores.
        next_steps: (what it does, command) pairs.
    """

    title: str
    lead: str
    tiles: tuple[tuple[str, str], ...]
    next_steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plot:
    """A picture of figures: its title, a sentence, and a PNG."""

    title: str
    note: str
    png: Path | bytes

    def to_dict(self) -> dict[str, str]:
        """Return what the template takes."""
        return {"title": self.title, "note": self.note, "uri": png_uri(self.png)}


@dataclass(frozen=True)
class Table:
    """A further table of a page.

    Attributes:
        title: Its heading.
        note: A sentence below it.
        head: Column names.
        rows: Cells as text.
    """

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(default=())


def report_run(
    run_dir: Path,
    labels: LabelledDataset,
    *,
    text: ReportText,
    path: Path | None = None,
    clips: Sequence[Path] = (),
) -> Measured:
    """Measure a run's ``best.ckpt`` on the frames it was validated on, and write the page.

    The figures go into the run's ``metrics.json``, under ``evaluation``.

    Args:
        run_dir: Run folder with ``best.ckpt``, ``metrics.json`` and the training's plots.
        labels: The data set the run was trained on.
        text: Title, lead, tiles and next steps.
        path: Where the page goes; ``report.html`` in the run folder where not given.
        clips: Overlay videos to show as film strips.

    Raises:
        CheckpointError: The run's checkpoint cannot be read.
        DataError: A validation frame is no longer in the data set.
    """
    segmenter = Segmenter.load(run_dir / "best.ckpt", runtime="torch")
    measured = measure(segmenter, labels, choose_frames(labels, segmenter.info, side="val"))
    predict = functools.partial(segment_labelled, segmenter, labels)
    galleries = frame_galleries(predict, measured.evaluation)
    metrics = run_dir / "metrics.json"
    known = json.loads(metrics.read_text(encoding="utf-8"))
    write_json(metrics, {**known, "evaluation": measured.record()})
    write_report(
        run_dir / "report.html" if path is None else path,
        measured,
        text=text,
        plots=[Plot(title, note, run_dir / name) for name, title, note in _PLOTS],
        galleries=[*galleries, clip_gallery(clips)] if clips else galleries,
        origin=origin_rows(segmenter.info),
    )
    return measured


def write_report(
    path: Path,
    measured: Measured,
    *,
    text: ReportText,
    plots: Sequence[Plot],
    galleries: Sequence[Gallery],
    origin: Sequence[tuple[str, str]],
    tables: Sequence[Table] = (),
) -> None:
    """Write the page of what was measured.

    Args:
        path: File to write.
        measured: The figures.
        text: Title, lead, tiles and next steps.
        plots: Pictures of figures.
        galleries: Pictures of frames and clips.
        origin: (name, value) pairs about model and data.
        tables: Further tables, after those of the figures and classes.
    """
    render_page(
        "report.html",
        path,
        title=text.title,
        lead=text.lead,
        tiles=(*_scores(measured), *text.tiles),
        held_out=measured.chosen.said,
        next_steps=text.next_steps,
        figure_rows=_figure_rows(measured),
        intervals=measured.resampling.said(),
        object_said=_object_said(measured),
        class_rows=_class_rows(measured),
        tables=tables,
        plots=[plot.to_dict() for plot in plots],
        galleries=galleries,
        origin=origin,
    )


def origin_rows(info: ModelInfo) -> list[tuple[str, str]]:
    """Return what a page says about where a model is from."""
    height, width = info.preprocess.size_hw
    said = (
        ("start weights", info.weights_source),
        ("data set, SHA-256", info.dataset_sha256),
        ("code", info.git_commit),
        ("versions", ", ".join(f"{name} {number}" for name, number in info.versions.items())),
    )
    rows = [("network input (h x w)", f"{height} x {width}")]
    return rows + [(name, value or "the file does not say") for name, value in said]


def _scores(measured: Measured) -> list[tuple[str, str]]:
    figures, unlabeled = measured.figures, measured.evaluation.classes.names[0]
    tiles = [
        ("mean IoU (val/iou)", _number(figures["val/iou"].value)),
        # Gaps between outlines are a few pixels wide and weigh as much as the table in the mean.
        (f"mean IoU without {unlabeled}", _number(figures["val/iou_named"].value)),
    ]
    counts = measured.object
    if counts is not None:
        off = figures["object/centroid_px_median"].value
        tiles += [
            (f"{counts.name} found", f"{counts.found} of {counts.labelled}"),
            (f"frames with a false {counts.name}", f"{counts.false_frames} of {counts.frames}"),
            (f"{counts.name} off by (median)", "-" if math.isnan(off) else f"{off:.1f} px"),
        ]
    return tiles


def _figure_rows(measured: Measured) -> list[dict[str, str | int]]:
    return [
        {
            "name": name,
            "value": _number(figure.value),
            "interval": _interval(figure),
            "n": figure.n,
            "meaning": meaning,
        }
        for name, meaning in HEADLINES.items()
        if (figure := measured.figures.get(name)) is not None
    ]


def _object_said(measured: Measured) -> str | None:
    counts = measured.object
    if counts is None:
        return None
    small = f"; {counts.too_small} too small to be judged" if counts.too_small else ""
    return (
        f"{counts.name}: labelled in {counts.labelled} frames{small}, found in {counts.found}, "
        f"missed in {counts.labelled - counts.found}; {counts.false_regions} regions in "
        f"{counts.false_frames} of {counts.frames} frames are called {counts.name} and touch none."
    )


def _class_rows(measured: Measured) -> list[dict[str, str | int]]:
    confusion, classes = measured.evaluation.full_confusion, measured.evaluation.classes
    hits, labelled, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        {
            "name": name,
            "color": "#{:02x}{:02x}{:02x}".format(*classes.colors_rgb[class_id]),
            "network": _number(measured.figures[f"val/iou/{name}"].value),
            "iou": _number(measured.figures[f"iou/{name}"].value),
            "interval": _interval(measured.figures[f"iou/{name}"]),
            "boundary": _number(measured.figures[f"boundary_f/{name}"].value),
            "precision": _ratio(hits[class_id], predicted[class_id]),
            "recall": _ratio(hits[class_id], labelled[class_id]),
            "share": f"{labelled[class_id] / max(confusion.sum(), 1):.1%}",
            "n": measured.figures[f"iou/{name}"].n,
        }
        for class_id, name in enumerate(classes.names)
    ]


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _interval(figure: Figure) -> str:
    if figure.interval is None:
        return "-"
    low, high = figure.interval
    return f"{low:.3f} to {high:.3f}"


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"
