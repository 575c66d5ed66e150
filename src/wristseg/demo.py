"""``wristseg demo``: the whole road on the repository's data set, ending in one report.

check -> masks -> train at 84x84 -> validate -> predict the clips -> ``report.html``. Each step is
the same stage function that the command of its name calls.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from rich.console import Console

from wristseg.configs import CheckConfig, DemoConfig, MasksConfig, PredictConfig, TrainConfig
from wristseg.data.check import check_dataset
from wristseg.data.labels import load_labels
from wristseg.data.masks import generate_masks
from wristseg.errors import DataError, UsageError
from wristseg.evaluate.report import ReportText, report_run
from wristseg.predict.predict import predict
from wristseg.train.fit import train
from wristseg.train.summary import TrainSummary

__all__ = ["demo"]

#: Marks a folder as made by the demo, so that nobody else's folder is ever replaced.
_MARKER = ".wristseg-demo"


def demo(config: DemoConfig) -> Path:
    """Run the demo and return the path of its report.

    Raises:
        UsageError: Data set or clips are missing, or the output folder holds something else.
        DataError: The data set has errors.
    """
    started = time.monotonic()
    console = Console(stderr=True)
    clips = _clips(config)
    _fresh_folder(config.output)

    console.rule("1/5 check the data set")
    _check(config)
    console.rule("2/5 draw the masks")
    generate_masks(
        MasksConfig(
            config.dataset_path,
            output_dir=config.output / "masks",
            viz_dir=config.output / "masks_viz",
        )
    )
    console.rule("3/5 train at 84x84")
    trained = train(_training(config))
    console.rule("4/5 predict the clips")
    overlays = _predict(config, trained, clips)
    console.rule("5/5 validate and report")
    return _report(config, trained, overlays, seconds=time.monotonic() - started)


def _clips(config: DemoConfig) -> list[Path]:
    clips = sorted(config.clips.glob("*.mp4"))
    if not config.dataset_path.is_dir() or not clips:
        raise UsageError(
            f"{config.dataset_path} or {config.clips}/*.mp4 is not here; run the demo in a clone "
            "of the repository, or give --dataset-path and --clips"
        )
    return clips


def _fresh_folder(output: Path) -> None:
    if output.is_dir() and any(output.iterdir()):
        if not (output / _MARKER).exists():
            raise UsageError(f"{output} holds files that no demo made; choose another --output")
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    # Marked before the first step: a demo that was interrupted may be started again.
    (output / _MARKER).touch()


def _check(config: DemoConfig) -> None:
    report = check_dataset(CheckConfig(config.dataset_path, output=config.output / "check.html"))
    if report.has_errors:
        raise DataError(config.dataset_path, f"has errors, see {config.output / 'check.html'}")


def _training(config: DemoConfig) -> TrainConfig:
    return TrainConfig(
        config.dataset_path,
        img_height=84,
        img_width=84,
        batch_size=16,
        epochs=config.epochs,
        lr=config.lr,
        output_dir=config.output / "run",
    )


def _predict(config: DemoConfig, trained: TrainSummary, clips: list[Path]) -> list[Path]:
    folder = config.output / "clips"
    for clip in clips:
        predict(PredictConfig(trained.best_checkpoint, str(clip), output=folder, save_mask=True))
    return sorted(folder.glob("*_overlay.mp4"))


def _report(
    config: DemoConfig, trained: TrainSummary, overlays: list[Path], *, seconds: float
) -> Path:
    labels = load_labels(_training(config).dataset())
    path = config.output / "report.html"
    text = ReportText(
        title="wristseg demo: from labels to masks",
        lead=(
            "A model of 0.85 million parameters, trained from the labels of "
            f"{config.dataset_path} at 84x84."
        ),
        tiles=(
            ("epochs", str(trained.epochs)),
            ("training", f"{trained.seconds / 60:.1f} min"),
            ("whole demo", f"{seconds / 60:.1f} min"),
        ),
        next_steps=_next_steps(trained),
    )
    report_run(trained.run_dir, labels, text=text, path=path, clips=overlays)
    return path


def _next_steps(trained: TrainSummary) -> tuple[tuple[str, str], ...]:
    return (
        ("Look your own COCO export over:", "wristseg check path/to/export"),
        ("Train on it at full size:", "wristseg train --dataset-path path/to/export"),
        (
            "Segment your own video with the model of this demo:",
            f"wristseg predict --checkpoint {trained.best_checkpoint} --input video.mp4",
        ),
    )
