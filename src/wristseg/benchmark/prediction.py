"""Time predictions: every contestant in a process of its own, all of them in the same rounds.

In: a ``Run``. Out: times per frame, times to the first mask, memory, and the machine's peak rate of
a matrix product from the same rounds. Called by ``benchmark.benchmark``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from wristseg.benchmark.contestants import AUTO, Contestant
from wristseg.benchmark.process import ContestantError, ContestantProcess
from wristseg.benchmark.results import Load, Prediction
from wristseg.benchmark.rounds import take_turns
from wristseg.benchmark.run import Run, Running
from wristseg.benchmark.summary import miss_shares, summarize

__all__ = ["Samples", "measure_loads", "measure_predictions", "start_all"]

#: Frames after the first mask before memory is read; by then nothing grows any more.
_MEMORY_FRAMES = 5

_GEMM = "gemm"

#: Seconds from the start of a process to its first mask, and the most bytes it held.
Sample = tuple[float, int | None]
Samples = dict[tuple[Contestant, str], list[Sample]]


def start_all(
    run: Run, stack: ExitStack, contestants: Sequence[Contestant]
) -> tuple[Running, Samples]:
    """Start the contestants one after another; one that fails is noted and left out.

    Args:
        run: The run.
        stack: Ends the processes when it is closed.
        contestants: Whom to start.

    Returns:
        Their processes, and the time to the first mask and memory at the first size.
    """
    running: Running = {}
    samples: Samples = {}
    for contestant in contestants:
        process, sample = _start(run, stack, contestant)
        if process is not None:
            running[contestant] = process
        if sample is not None:
            samples[contestant, run.sizes[0]] = [sample]
    return running, samples


def measure_predictions(run: Run, running: Running) -> None:
    """Time all contestants and the matrix product in rounds."""
    amount = {"turn_s": run.plan.turn_s, "least": run.plan.turn_frames}
    turns: dict[str, Callable[[], Any]] = {
        f"{contestant.name} {size}": partial(
            process.ask, "predict", contestant=contestant.name, size=size, **amount
        )
        for contestant, process in running.items()
        for size in run.sizes
    }
    turns[_GEMM] = partial(run.tools.ask, "gemm")
    rounds = run.plan.predict_rounds
    found = take_turns(turns, rounds=rounds, seed=run.seed, done=run.advance)
    rates = found.pop(_GEMM)
    run.results.gemm_gflops = {
        library: max(rate[library] for rate in rates) for library in ("torch", "numpy")
    }
    for contestant in running:
        for size in run.sizes:
            answers = found[f"{contestant.name} {size}"]
            seconds = [answer["seconds"] for answer in answers]
            run.results.predictions.append(_prediction(run, contestant, size, seconds))


def measure_loads(run: Run, contestants: Sequence[Contestant], samples: Samples) -> None:
    """Time fresh processes to their first mask, besides those in ``samples``."""
    pairs = {
        f"{contestant.name} {size}": (contestant, size)
        for contestant in (AUTO, *contestants)
        for size in run.sizes
    }
    turns = {name: partial(_fresh, run, *pair) for name, pair in pairs.items()}
    rounds = run.plan.load_rounds
    for name, found in take_turns(turns, rounds=rounds, seed=run.seed, done=run.advance).items():
        known = [sample for sample in found if sample is not None]
        if known:
            samples.setdefault(pairs[name], []).extend(known)
    for (contestant, size), measured in samples.items():
        peaks = [peak for _, peak in measured if peak is not None]
        seconds = summarize([seconds for seconds, _ in measured])
        run.results.loads.append(
            Load(contestant.name, contestant.label, size, seconds, max(peaks, default=None))
        )


def _start(
    run: Run, stack: ExitStack, contestant: Contestant
) -> tuple[ContestantProcess | None, Sample | None]:
    """Start a contestant and load its models; one that fails is noted."""
    first, *others = run.sizes
    sample = None
    try:
        if _shares_tools(run, contestant):
            process = run.tools
            run.load(process, contestant, first)
        else:
            process = stack.enter_context(run.start(contestant))
            sample = _first_mask(run, process, contestant, first)
        for size in others:
            run.load(process, contestant, size)
    except ContestantError as error:
        run.results.notes.append(f"{contestant.label}: left out: {error}")
        return None, None
    finally:
        run.advance()
    return process, sample


def _shares_tools(run: Run, contestant: Contestant) -> bool:
    """Whether a contestant does without a process of its own, whose start would be timed.

    In a quick run PyTorch's peers run where their weights were made, which has all imports behind
    it; threads are PyTorch's own there, so that nothing else stirs.
    """
    peer = contestant.family not in {"wristseg", "plain"}
    return peer and contestant.engine == "torch" and run.plan.load_rounds == 0


def _fresh(run: Run, contestant: Contestant, size: str) -> Sample | None:
    try:
        with run.start(contestant) as process:
            return _first_mask(run, process, contestant, size)
    except ContestantError as error:
        run.results.notes.append(f"{contestant.label}: a start failed: {error}")
        return None


def _first_mask(run: Run, process: ContestantProcess, contestant: Contestant, size: str) -> Sample:
    run.load(process, contestant, size)
    seconds = time.perf_counter() - process.started
    process.ask("predict", contestant=contestant.name, size=size, turn_s=0.0, least=_MEMORY_FRAMES)
    return seconds, process.ask("memory")["peak_bytes"]


def _prediction(
    run: Run, contestant: Contestant, size: str, rounds: Sequence[Sequence[float]]
) -> Prediction:
    seconds = [value for values in rounds for value in values]
    return Prediction(
        contestant=contestant.name,
        label=contestant.label,
        size=size,
        input=run.input_of(contestant, size),
        seconds=summarize(seconds),
        misses=miss_shares(seconds),
        round_medians_s=tuple(summarize(values).median for values in rounds),
    )
