"""The predict stage: images and videos in, overlays, masks and a COCO file out.

In: a checkpoint and the text of ``--input``. Out: files in one folder, each written whole or not at
all. A bad input does not stop the others; it is named in the summary. Called by
``wristseg predict`` and by the demo.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID, TimeRemainingColumn

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.classes import ClassTable
from wristseg.configs import PredictConfig
from wristseg.errors import DataError
from wristseg.packed_file import model_path
from wristseg.predict.backend import default_threads
from wristseg.predict.coco import CocoPredictions
from wristseg.predict.outputs import OutputPlan, Outputs, plan_outputs
from wristseg.predict.pipeline import MediaPredictor, Results
from wristseg.predict.segmenter import Segmenter
from wristseg.predict.sources import Source, find_sources

__all__ = ["PredictSummary", "predict"]

#: Most frames that are segmented at a time; each model takes about 0.2 GB at 640x480.
_MOST_MODELS = 4
#: From so many images on it pays to load more than one model.
_MANY_IMAGES = 16


@dataclass(frozen=True)
class PredictSummary:
    """What a run made.

    Attributes:
        outputs: Files written, in order.
        frames: Images and video frames predicted.
        seconds: Time spent on them, reading and writing included.
        problems: One line per input that was left out or only partly predicted.
    """

    outputs: tuple[Path, ...]
    frames: int
    seconds: float
    problems: tuple[str, ...]


def predict(config: PredictConfig) -> PredictSummary:
    """Predict everything that ``config.input`` names.

    Returns:
        What was written and what could not be; look at ``problems``.

    Raises:
        UsageError: Nothing to predict, an output that cannot be, a device that is not there.
        CheckpointError: The model file cannot be used.
        DataError: No input could be predicted.
    """
    sources = find_sources(config.input)
    plan = plan_outputs(sources, config.output)
    model = model_path(config.checkpoint)
    segmenters = _load_segmenters(config, sources)
    classes = segmenters[0].classes
    origin = f"wristseg {versions()['wristseg']}, checkpoint SHA-256 {sha256_of(model)}"
    results = Results(CocoPredictions(classes) if config.save_coco else None)
    predictor = MediaPredictor(
        segmenters,
        results,
        alpha=config.alpha,
        save_mask=config.save_mask,
        several=len(sources) > 1,
        origin=origin,
    )
    started = time.perf_counter()
    with _progress() as progress:
        _predict_all(predictor, list(zip(sources, plan.items, strict=True)), progress)
    if results.frames == 0:
        raise DataError(config.input, results.problems)
    seconds = time.perf_counter() - started
    _write_coco(plan, results, origin=origin)
    # Beside a file that was named, nothing else is written unless something is missing in it.
    if results.problems or not plan.single_file:
        name = "predictions" if len(sources) > 1 else f"{plan.items[0].name}_prediction"
        path = plan.folder / f"{name}.json"
        write_json(path, _record(config, sources, results, classes))
        results.written.append(path)
    return PredictSummary(tuple(results.written), results.frames, seconds, tuple(results.problems))


def _load_segmenters(config: PredictConfig, sources: list[Source]) -> list[Segmenter]:
    """Load the model: for a loop's worth of frames several times, each on its part of the cores.

    Two frames on one core each take less time than two in turns on both cores, since no thread
    waits for another (docs/performance.md).
    """
    cores = default_threads()
    models = min(cores, _MOST_MODELS)
    few = len(sources) < _MANY_IMAGES and all(source.kind == "image" for source in sources)
    if few or models == 1:
        return [Segmenter.load(config.checkpoint, device=config.device)]
    load = partial(Segmenter.load, config.checkpoint, device=config.device, threads=cores // models)
    first = load()  # PyTorch takes no number of threads: they belong to the whole process
    if first.runtime == "torch":  # one frame at a time fills a GPU
        return [first]
    return [first, *(load() for _ in range(models - 1))]


def _predict_all(
    predictor: MediaPredictor, jobs: list[tuple[Source, Outputs]], progress: Progress
) -> None:
    """Predict the sources in order: images that follow each other in one go, videos one by one."""
    total = progress.add_task("predicting", total=len(jobs))
    for kind, group in groupby(jobs, key=lambda job: job[0].kind):
        same_kind = [(source.path, outputs) for source, outputs in group]
        if kind == "image":
            for _ in predictor.predict_images(same_kind):
                progress.advance(total)
            continue
        for path, outputs in same_kind:
            task = progress.add_task(path.name, visible=False)

            def begin(frames: int | None, task: TaskID = task) -> Callable[[], object]:
                progress.update(task, total=frames, visible=True)
                return lambda: progress.advance(task)

            predictor.predict_video(path, outputs, begin=begin)
            progress.remove_task(task)
            progress.advance(total)


def _write_coco(plan: OutputPlan, results: Results, *, origin: str) -> None:
    if results.coco is not None:
        path = plan.folder / "predictions.coco.json"
        results.coco.write(path, description=origin)
        results.written.append(path)


def _record(
    config: PredictConfig, sources: list[Source], results: Results, classes: ClassTable
) -> dict[str, object]:
    """Say where all of it comes from."""
    return {
        "inputs": [str(source.path) for source in sources],
        "outputs_sha256": {path.name: sha256_of(path) for path in results.written},
        "frames": results.frames,
        "problems": results.problems,
        "classes": classes.to_dict(),
        "checkpoint_sha256": sha256_of(model_path(config.checkpoint)),
        "config": {name: str(value) for name, value in asdict(config).items()},
        "git_commit": git_commit(),
        "versions": versions(),
    }


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        *Progress.get_default_columns()[:-1],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # in a log it would leave an empty line
    )
