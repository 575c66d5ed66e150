"""Stage ``wristseg val``: how good a model file is on labelled frames, and how steady on clips.

In: a checkpoint or an export, and a labelled data set. Out: ``report.html`` and ``metrics.json`` in
one folder. Nothing here needs PyTorch, unless a checkpoint asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.data.labels import LabelledDataset
from wristseg.evaluate.config import ValConfig
from wristseg.evaluate.galleries import frame_galleries
from wristseg.evaluate.measure import Measured, measure
from wristseg.evaluate.report import Plot, ReportText, origin_rows, write_report
from wristseg.evaluate.sides import choose_frames, load_labelled
from wristseg.model_info import ModelInfo, json_values
from wristseg.pages.plots import confusion_png
from wristseg.predict import Segmenter

__all__ = ["ValSummary", "validate"]


@dataclass(frozen=True)
class ValSummary:
    """What a validation came to.

    Attributes:
        measured: The figures.
        report: The page.
        metrics: ``metrics.json``.
    """

    measured: Measured
    report: Path
    metrics: Path


def validate(config: ValConfig) -> ValSummary:
    """Measure a model and write page and figures.

    Raises:
        UsageError: Options that cannot work, or it is not known where the data lies.
        DataError: Labels, images or clips are bad, or the frames are not those of the model.
        CheckpointError: The model file cannot be used.
    """
    segmenter = Segmenter.load(config.checkpoint, device=config.device)
    labels = load_labelled(config, segmenter.info)
    chosen = choose_frames(labels, segmenter.info, side=config.side, split_file=config.split_file)
    measured = measure(
        segmenter, labels, chosen, object_class=config.object_class, seed=config.seed
    )
    folder = config.output or _default_folder(config.checkpoint)
    report, metrics = folder / "report.html", folder / "metrics.json"
    write_report(
        report,
        measured,
        text=_text(config, labels),
        plots=[_confusion(measured)],
        galleries=frame_galleries(segmenter, labels, measured.evaluation),
        origin=[("model file", str(config.checkpoint)), *origin_rows(segmenter.info)],
    )
    write_json(metrics, {**_origin(config, segmenter.info, labels), **measured.record()})
    return ValSummary(measured, report, metrics)


def _default_folder(checkpoint: Path) -> Path:
    where = checkpoint.absolute()
    return Path("outputs/val") / f"{where.parent.name}_{where.stem}"


def _confusion(measured: Measured) -> Plot:
    evaluation = measured.evaluation
    png = confusion_png(evaluation.full_confusion, evaluation.classes)
    return Plot("Confusion", "Rows are labels, columns predictions; at the frame's size.", png)


def _text(config: ValConfig, labels: LabelledDataset) -> ReportText:
    exact = "" if config.masks_dir is None else f", labels from {config.masks_dir}"
    return ReportText(
        title=f"{config.checkpoint.name} on {_dataset_name(config, labels)}",
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


def _dataset_name(config: ValConfig, labels: LabelledDataset) -> str:
    path = config.dataset_path or labels.layout.images_dir
    return path.resolve().name


def _origin(config: ValConfig, info: ModelInfo, labels: LabelledDataset) -> dict[str, Any]:
    """Return what was measured with what, for ``metrics.json``."""
    plain: dict[str, Any] = json_values(
        {
            "model": config.checkpoint,
            "model_sha256": sha256_of(config.checkpoint),
            "dataset": config.dataset_path or labels.layout.images_dir,
            "dataset_sha256": labels.sha256,
            "trained_on_sha256": info.dataset_sha256,
            "options": vars(config),
            "git_commit": git_commit(),
            "versions": versions(),
        }
    )
    return plain
