"""Stage ``wristseg benchmark``: all contestants in one run, and a page, a plot and JSON of it.

In: options, a data set, a clip and checkpoints (or random weights). Out: ``README.md``,
``benchmark.png`` and ``results.json`` in one folder. Called by ``cli.benchmark``.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from wristseg.artifacts import git_commit, write_json, write_text
from wristseg.benchmark.agreement import measure_agreement
from wristseg.benchmark.contestants import PLAIN, TOOLS, Contestant, find_plain, present
from wristseg.benchmark.goals import find_goals
from wristseg.benchmark.live_loop import measure_live_loops
from wristseg.benchmark.machine import ProcessorTime, describe_machine, library_versions
from wristseg.benchmark.page import results_page
from wristseg.benchmark.plan import FULL, QUICK, Plan, size_name
from wristseg.benchmark.plot import draw_results
from wristseg.benchmark.prediction import measure_loads, measure_predictions, start_all
from wristseg.benchmark.prepare import prepare
from wristseg.benchmark.process import ContestantError, ContestantProcess
from wristseg.benchmark.results import Results
from wristseg.benchmark.review_page import measure_review_page
from wristseg.benchmark.run import Run
from wristseg.benchmark.tail import measure_tails
from wristseg.benchmark.training import measure_trainings
from wristseg.benchmark.works import measure_clip, measure_mask_commands, measure_masks
from wristseg.configs import BenchmarkConfig
from wristseg.errors import WristsegError

__all__ = ["benchmark", "output_folder"]

PAGE, PLOT, DATA = "README.md", "benchmark.png", "results.json"


def benchmark(
    config: BenchmarkConfig, *, plan: Plan | None = None, console: Console | None = None
) -> Results:
    """Measure all contestants and write what was found.

    Args:
        config: Options.
        plan: How much is measured; by ``config.quick`` where not given.
        console: Where progress goes; stderr where not given.

    Raises:
        UsageError: A checkpoint is of another size than its option says.
        CheckpointError: A checkpoint cannot be read.
        ContestantError: wristseg itself cannot be measured.
    """
    plan = plan or (QUICK if config.quick else FULL)
    console = console or Console(stderr=True)
    began, processors = time.monotonic(), ProcessorTime.now()
    plain = find_plain()
    contestants, notes = present(plain)
    for note in notes:
        console.print(note, style="yellow", highlight=False, soft_wrap=True)
    results = Results(
        machine=describe_machine(),
        versions=library_versions(),
        git_commit=git_commit(),
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        options={name: str(value) for name, value in asdict(config).items()} | asdict(plan),
        sizes=(size_name(plan.sizes_hw[0]), size_name(plan.sizes_hw[1])),
        notes=notes,
    )
    with (
        tempfile.TemporaryDirectory(prefix="wristseg_benchmark_") as folder,
        _Steps(console) as steps,
        ContestantProcess(TOOLS, Path(folder) / "log.txt") as tools,
    ):
        run = Run(plan, results, config.seed, steps.advance, Path(folder), tools, plain)
        _measure(run, config, contestants, steps)
    results.goals = find_goals(results)
    results.seconds = time.monotonic() - began
    ended = ProcessorTime.now()
    if processors is not None and ended is not None:
        results.stolen = ended.stolen_since(processors)
    _write(output_folder(config), results)
    return results


def output_folder(config: BenchmarkConfig) -> Path:
    """Return where the page goes; a quick run never takes the place of a full one by itself."""
    if config.output is not None:
        return config.output
    if config.quick:
        return Path("outputs/benchmark_quick")
    plain = find_plain()
    return Path("benchmarks_out") if plain is None else plain.parents[1] / "docs" / "benchmarks"


def _measure(
    run: Run, config: BenchmarkConfig, contestants: Sequence[Contestant], steps: _Steps
) -> None:
    plan = run.plan
    with contextlib.ExitStack() as stack:
        steps.begin("preparing models", None)
        prepare(run, config, contestants)
        steps.begin("starting contestants", len(contestants))
        running, samples = start_all(run, stack, contestants)
        if not any(contestant.family == "wristseg" for contestant in running):
            raise ContestantError(f"wristseg could not be measured: {'; '.join(run.results.notes)}")
        steps.begin("predicting", plan.predict_rounds * (len(running) * len(run.sizes) + 1))
        measure_predictions(run, running)
        if run.dataset is not None and plan.masks_rounds > 0:
            with _part(run, steps, "drawing masks", plan.masks_rounds * 2):
                measure_masks(run, running)
        if run.clip is not None and plan.clip_rounds > 0:
            with _part(run, steps, "converting a clip", plan.clip_rounds * 3):
                measure_clip(run, running)
        if run.dataset is not None and PLAIN in running:
            own = sum(contestant.family == "wristseg" for contestant in running)
            with _part(run, steps, "comparing labels", len(run.sizes) * (own + 1)):
                measure_agreement(run, running)
    if plan.tail_windows > 0:
        with _part(run, steps, "frame after frame", plan.tail_windows * (len(run.sizes) + 1)):
            measure_tails(run)
    # From here on processes are started and ended by each turn; those of before are gone.
    steps.begin("starting processes", plan.load_rounds * (len(running) + 1) * len(run.sizes))
    measure_loads(run, list(running), samples)
    if run.dataset is not None and plan.masks_rounds > 0:
        with _part(run, steps, "drawing masks as a command", plan.masks_rounds * 2):
            measure_mask_commands(run)
    if run.dataset is not None and plan.train_rounds > 0:
        with _part(run, steps, "training", plan.train_rounds * len(plan.trainings) * 2):
            measure_trainings(run)
    if run.dataset is not None and plan.page_rounds > 0:
        with _part(run, steps, "review page", plan.page_rounds):
            measure_review_page(run)
    if run.clip is not None and plan.live_ticks > 0:
        with _part(run, steps, "live loop", len(run.sizes)):
            measure_live_loops(run)
    left_out = [
        ("training", plan.train_rounds),
        ("clip to overlay mp4", plan.clip_rounds),
        ("live loop", plan.live_ticks),
    ]
    run.results.notes += [f"{part}: left out by --quick" for part, rounds in left_out if not rounds]


@contextlib.contextmanager
def _part(run: Run, steps: _Steps, name: str, turns: int) -> Iterator[None]:
    """Measure one part; if it fails, the figures of the others shall not be lost."""
    steps.begin(name, turns)
    try:
        yield
    except (WristsegError, OSError) as error:
        run.results.notes.append(f"{name}: left out: {error}")


class _Steps:
    """Progress on stderr, a line per part of the run."""

    def __init__(self, console: Console) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(TextColumn("{task.description}"), *columns, console=console)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._finish()
        self._progress.stop()

    def begin(self, name: str, total: int | None) -> None:
        """End the part before and begin another of so many turns."""
        self._finish()
        self._task = self._progress.add_task(name, total=total)

    def advance(self) -> None:
        """Count one turn of the part that runs."""
        if self._task is not None:
            self._progress.advance(self._task)

    def _finish(self) -> None:
        if self._task is not None:
            self._progress.stop_task(self._task)


def _write(folder: Path, results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / DATA, asdict(results))
    draw_results(folder / PLOT, results)
    write_text(folder / PAGE, results_page(results, plot=PLOT))
