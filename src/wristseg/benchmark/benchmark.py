"""Stage ``wristseg benchmark``: all contestants in one run, and a page, a plot and JSON of it.

In: options, a data set, a clip and checkpoints (or random weights). Out: ``README.md``,
``benchmark.png`` and ``results.json`` in one folder. Called by ``cli.benchmark``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from wristseg.artifacts import git_commit, write_json, write_text
from wristseg.benchmark.agreement import measure_agreement
from wristseg.benchmark.contestants import PLAIN, Contestant, find_plain, present
from wristseg.benchmark.goals import find_goals
from wristseg.benchmark.machine import describe_machine, library_versions
from wristseg.benchmark.page import results_page
from wristseg.benchmark.plan import FULL, QUICK, Plan, size_name
from wristseg.benchmark.plot import draw_results
from wristseg.benchmark.prediction import measure_loads, measure_predictions, start_all
from wristseg.benchmark.process import ContestantError
from wristseg.benchmark.results import Results
from wristseg.benchmark.workspace import Workspace, prepare
from wristseg.benchmark.works import (
    measure_clip,
    measure_mask_commands,
    measure_masks,
    measure_trainings,
)
from wristseg.configs import BenchmarkConfig

__all__ = ["benchmark", "output_folder"]

PAGE, PLOT, DATA = "README.md", "benchmark.png", "results.json"

Step = Callable[[], None]


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
    began = time.monotonic()
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
        notes=notes,
    )
    with tempfile.TemporaryDirectory(prefix="wristseg_benchmark_") as scratch:
        _measure(config, plan, contestants, plain, Path(scratch), results, console)
    results.goals = find_goals(results)
    results.seconds = time.monotonic() - began
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
    config: BenchmarkConfig,
    plan: Plan,
    contestants: Sequence[Contestant],
    plain: Path | None,
    scratch: Path,
    results: Results,
    console: Console,
) -> None:
    sizes = [size_name(size_hw) for size_hw in plan.sizes_hw]
    with _progress(console) as progress, ExitStack() as stack:
        bar = _Bar(progress)
        bar.step("preparing models", 1)
        work = prepare(config, plan, contestants, plain=plain, scratch=scratch, results=results)
        bar.step("starting contestants", len(contestants))
        running, samples = start_all(stack, work, contestants, sizes, results, done=bar.advance)
        if not any(contestant.family == "wristseg" for contestant in running):
            raise ContestantError(f"wristseg could not be measured: {'; '.join(results.notes)}")
        bar.step("predicting", plan.predict_rounds * (len(running) * len(sizes) + 1))
        measure_predictions(running, work, plan, results, seed=config.seed, done=bar.advance)
        options = {"seed": config.seed, "done": bar.advance}
        if work.dataset is not None and plan.masks_rounds > 0:
            bar.step("drawing masks", plan.masks_rounds * 2)
            measure_masks(running, work, plan, results, **options)
        if work.clip is not None and plan.clip_rounds > 0:
            bar.step("converting a clip", plan.clip_rounds * 3)
            measure_clip(running, work, plan, results, **options)
        if work.dataset is not None and PLAIN in running:
            bar.step("comparing labels", len(sizes) * len(running))
            measure_agreement(running, work, plan, results, done=bar.advance)
        stack.close()  # what follows starts processes of its own, which shall be alone
        bar.step("starting fresh processes", plan.load_rounds * (len(running) + 1) * len(sizes))
        measure_loads(work, list(running), plan, samples, results, **options)
        _measure_commands(work, plan, results, bar, seed=config.seed)


def _measure_commands(
    work: Workspace, plan: Plan, results: Results, bar: _Bar, *, seed: int
) -> None:
    if work.dataset is None:
        return
    if plan.masks_rounds > 0:
        bar.step("drawing masks as a command", plan.masks_rounds * 2)
        measure_mask_commands(work, plan, results, seed=seed, done=bar.advance)
    if plan.train_rounds > 0:
        bar.step("training", plan.train_rounds * len(plan.trainings) * 2)
        measure_trainings(work, plan, results, seed=seed, done=bar.advance)
    else:
        results.notes.append(
            "training: left out by --quick; an epoch of the plain one takes minutes"
        )


class _Bar:
    """One line of progress per part."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def step(self, name: str, total: int) -> None:
        self._task = self._progress.add_task(name, total=total)

    def advance(self) -> None:
        self._progress.advance(self._task)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _write(folder: Path, results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / DATA, asdict(results))
    draw_results(folder / PLOT, results)
    write_text(folder / PAGE, results_page(results, plot=PLOT))
