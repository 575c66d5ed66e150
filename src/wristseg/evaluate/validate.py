"""Stage ``wristseg val``: how good a model file is on labelled frames, and how steady on clips.

In: a checkpoint or an export, and a labelled data set. Out: ``report.html`` and ``metrics.json`` in
one folder. Nothing here needs PyTorch, unless a checkpoint asks for it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.evaluate.clips import ClipResult, find_clips, measure_clip
from wristseg.evaluate.config import ValConfig
from wristseg.evaluate.extras import clip_table, robustness_plot, robustness_tables
from wristseg.evaluate.frames import Evaluation, segment_labelled
from wristseg.evaluate.galleries import corruption_gallery, frame_galleries
from wristseg.evaluate.measure import Measured, measure
from wristseg.evaluate.report import Plot, ReportText, origin_rows, write_report
from wristseg.evaluate.robustness import Cell, measure_robustness
from wristseg.evaluate.sides import choose_frames, load_labelled
from wristseg.model_info import ModelInfo, json_values
from wristseg.packed_file import model_path
from wristseg.pages.plots import confusion_png
from wristseg.predict import Segmenter

__all__ = ["ValSummary", "confusion_plot", "validate"]


@dataclass(frozen=True)
class ValSummary:
    """What a validation came to.

    Attributes:
        measured: The figures.
        clips: How steady the masks of each clip are.
        robustness: Figures by corruption and severity; empty unless asked for.
        report: The page.
        metrics: ``metrics.json``.
    """

    measured: Measured
    clips: tuple[ClipResult, ...]
    robustness: tuple[Cell, ...]
    report: Path
    metrics: Path


def validate(config: ValConfig) -> ValSummary:
    """Measure a model and write page and figures.

    Raises:
        UsageError: Options that cannot work, or it is not known where the data lies.
        DataError: Labels, images or clips are bad, or the frames are not those of the model.
        CheckpointError: The model file cannot be used.
    """
    videos = find_clips(config.clip)
    segmenter = Segmenter.load(config.checkpoint, device=config.device)
    labels = load_labelled(config, segmenter.info)
    chosen = choose_frames(labels, segmenter.info, side=config.side, split_file=config.split_file)
    measured = measure(
        segmenter, labels, chosen, object_class=config.object_class, seed=config.seed
    )
    object_id = measured.evaluation.object_id
    clips = tuple(measure_clip(segmenter, path, object_id=object_id) for path in videos)
    cells: tuple[Cell, ...] = ()
    if config.robustness:
        cells = measure_robustness(
            segmenter,
            labels,
            chosen.frames,
            object_id=object_id,
            resampling=measured.resampling,
            seed=config.seed,
        )
    folder = config.output or _default_folder(config.checkpoint)
    summary = ValSummary(measured, clips, cells, folder / "report.html", folder / "metrics.json")
    _write_page(config, segmenter, labels, summary)
    write_json(
        summary.metrics,
        {
            **_origin(config, segmenter.info, labels),
            **measured.record(),
            "clips": [clip.record() for clip in clips],
            "robustness": [cell.record() for cell in cells],
        },
    )
    return summary


def _write_page(
    config: ValConfig, segmenter: Segmenter, labels: LabelledDataset, summary: ValSummary
) -> None:
    measured, cells = summary.measured, summary.robustness
    name = None if measured.object is None else measured.object.name
    predict = functools.partial(segment_labelled, segmenter, labels)
    galleries = frame_galleries(predict, measured.evaluation)
    plots, tables = [confusion_plot(measured)], []
    if summary.clips:
        tables.append(clip_table(summary.clips))
    if cells:
        tables += robustness_tables(cells, object_name=name)
        plots.append(robustness_plot(cells, object_name=name))
        galleries.append(
            corruption_gallery(
                segmenter,
                labels,
                _typical_frame(measured.evaluation),
                object_id=measured.evaluation.object_id,
                seed=config.seed,
            )
        )
    write_report(
        summary.report,
        measured,
        text=_text(config, segmenter.info),
        plots=plots,
        galleries=galleries,
        origin=[("model file", str(config.checkpoint)), *origin_rows(segmenter.info)],
        tables=tables,
    )


def _default_folder(checkpoint: Path) -> Path:
    if checkpoint != model_path(checkpoint):  # the name of a model that ships
        return Path("outputs/val") / checkpoint
    where = checkpoint.absolute()
    return Path("outputs/val") / f"{where.parent.name}_{where.stem}"


def _typical_frame(evaluation: Evaluation) -> LabelledFrame:
    """Return the frame in the middle of the ranking, of those with the object if there are any."""
    ranked = evaluation.ranked()
    labelled = [result for result in ranked if result.object and result.object.labelled]
    among = labelled or ranked
    return among[len(among) // 2].frame


def confusion_plot(measured: Measured) -> Plot:
    """Draw which pixels of each class were predicted as what, at the frame's size."""
    evaluation = measured.evaluation
    png = confusion_png(evaluation.full_confusion, evaluation.classes)
    return Plot("Confusion", "Rows are labels, columns predictions; at the frame's size.", png)


def _text(config: ValConfig, info: ModelInfo) -> ReportText:
    exact = "" if config.masks_dir is None else f", labels from {config.masks_dir}"
    return ReportText(
        title=f"{config.checkpoint.name} on {_dataset(config, info).name}",
        lead=f"Model {config.checkpoint}{exact}.",
        tiles=(),
        next_steps=(
            (
                "Compare with another model on the same frames:",
                f"wristseg compare {config.checkpoint} OTHER_RUN --output outputs/compare",
            ),
            (
                "Predict a video or a folder of images:",
                f"wristseg predict --checkpoint {config.checkpoint} --input VIDEO_OR_IMAGES",
            ),
        ),
    )


def _dataset(config: ValConfig, info: ModelInfo) -> Path:
    return (config.dataset_path or Path(str(info.config["dataset_path"]))).resolve()


def _origin(config: ValConfig, info: ModelInfo, labels: LabelledDataset) -> dict[str, Any]:
    """Return what was measured with what, for ``metrics.json``."""
    plain: dict[str, Any] = json_values(
        {
            "model": config.checkpoint,
            "model_sha256": sha256_of(model_path(config.checkpoint)),
            "dataset": _dataset(config, info),
            "dataset_sha256": labels.sha256,
            "trained_on_sha256": info.dataset_sha256,
            "options": vars(config),
            "git_commit": git_commit(),
            "versions": versions(),
        }
    )
    return plain
