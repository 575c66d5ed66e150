"""Time predictions: every contestant in a process of its own, all of them in the same rounds.

In: a ``Workspace``. Out: times per frame, times to the first mask, memory, and the machine's peak
rate of a matrix product from the same rounds. Called by ``benchmark.benchmark``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from wristseg.benchmark.contestants import AUTO, Contestant
from wristseg.benchmark.plan import Plan, size_name
from wristseg.benchmark.process import ContestantError, ContestantProcess
from wristseg.benchmark.results import Load, Prediction, Results
from wristseg.benchmark.rounds import take_turns
from wristseg.benchmark.summary import miss_shares, summarize
from wristseg.benchmark.workspace import Workspace

__all__ = ["Running", "measure_loads", "measure_predictions", "start_all"]

#: Frames after the first mask before memory is read; by then nothing grows any more.
_MEMORY_FRAMES = 10

#: The process that multiplies matrices.
_GEMM = "gemm"

Running = dict[Contestant, ContestantProcess]
Sample = tuple[float, int | None]


def start_all(
    stack: ExitStack,
    work: Workspace,
    contestants: Sequence[Contestant],
    sizes: Sequence[str],
    results: Results,
    *,
    done: Callable[[], object],
) -> tuple[Running, dict[tuple[Contestant, str], list[Sample]]]:
    """Start the contestants one after another; one that fails is noted and left out.

    Returns:
        Their processes, and the time to the first mask and memory at the first size.
    """
    running: Running = {}
    samples: dict[tuple[Contestant, str], list[Sample]] = {}
    for contestant in contestants:
        try:
            process = stack.enter_context(work.start(contestant))
            samples[contestant, sizes[0]] = [_first_mask(work, process, contestant, sizes[0])]
            for size in sizes[1:]:
                work.load(process, contestant, size)
            running[contestant] = process
        except ContestantError as error:
            results.notes.append(f"{contestant.label}: left out: {error}")
            samples.pop((contestant, sizes[0]), None)
        done()
    return running, samples


def measure_predictions(
    running: Running,
    work: Workspace,
    plan: Plan,
    results: Results,
    *,
    seed: int,
    done: Callable[[], object],
) -> None:
    """Time all contestants and the matrix product in rounds."""
    sizes = [size_name(size_hw) for size_hw in plan.sizes_hw]
    amount = {"turn_s": plan.turn_s, "least": plan.turn_frames}
    turns: dict[str, Callable[[], Any]] = {
        f"{contestant.name} {size}": partial(process.ask, "predict", size=size, **amount)
        for contestant, process in running.items()
        for size in sizes
    }
    with ContestantProcess(_GEMM, work.log) as multiplier:
        counts = multiplier.ask("macs", sizes_hw=plan.sizes_hw)["gmacs"]
        results.gmacs = dict(zip(sizes, counts, strict=True))
        turns[_GEMM] = partial(multiplier.ask, "gemm")
        found = take_turns(turns, rounds=plan.predict_rounds, seed=seed, done=done)
    rates = found.pop(_GEMM)
    results.gemm_gflops = {
        library: max(rate[library] for rate in rates) for library in ("torch", "numpy")
    }
    for contestant in running:
        for size in sizes:
            rounds = [answer["seconds"] for answer in found[f"{contestant.name} {size}"]]
            results.predictions.append(_prediction(work, contestant, size, rounds))


def measure_loads(
    work: Workspace,
    contestants: Sequence[Contestant],
    plan: Plan,
    samples: dict[tuple[Contestant, str], list[Sample]],
    results: Results,
    *,
    seed: int,
    done: Callable[[], object],
) -> None:
    """Time fresh processes to their first mask, besides those that were started before."""
    sizes = [size_name(size_hw) for size_hw in plan.sizes_hw]
    pairs = {
        f"{contestant.name} {size}": (contestant, size)
        for contestant in (AUTO, *contestants)
        for size in sizes
    }
    turns = {name: partial(_fresh, work, *pair) for name, pair in pairs.items()}
    for name, found in take_turns(turns, rounds=plan.load_rounds, seed=seed, done=done).items():
        if found:
            samples.setdefault(pairs[name], []).extend(found)
    for (contestant, size), measured in samples.items():
        peaks = [peak for _, peak in measured if peak is not None]
        seconds = summarize([seconds for seconds, _ in measured])
        results.loads.append(
            Load(contestant.name, contestant.label, size, seconds, max(peaks, default=None))
        )


def _fresh(work: Workspace, contestant: Contestant, size: str) -> Sample:
    with work.start(contestant) as process:
        return _first_mask(work, process, contestant, size)


def _first_mask(
    work: Workspace, process: ContestantProcess, contestant: Contestant, size: str
) -> Sample:
    work.load(process, contestant, size)
    seconds = time.perf_counter() - process.started
    process.ask("predict", size=size, turn_s=0.0, least=_MEMORY_FRAMES)
    return seconds, process.ask("memory")["peak_bytes"]


def _prediction(
    work: Workspace, contestant: Contestant, size: str, rounds: Sequence[Sequence[float]]
) -> Prediction:
    seconds = [value for values in rounds for value in values]
    return Prediction(
        contestant=contestant.name,
        label=contestant.label,
        size=size,
        input=work.input_of(contestant, size),
        seconds=summarize(seconds),
        misses=miss_shares(seconds),
        round_medians_s=tuple(summarize(values).median for values in rounds),
    )
