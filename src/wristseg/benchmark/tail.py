"""Time a long run of frames by one model alone: how far its slow frames are from its usual one.

In: a ``Run``. Out: ``Tail`` rows of wristseg in the runtime that it picked, and of a matrix product
of about the same length, whose tail is the machine's own. Called by ``benchmark.benchmark``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wristseg.benchmark.contestants import CONTESTANTS, Contestant
from wristseg.benchmark.results import Tail
from wristseg.benchmark.rounds import take_turns
from wristseg.benchmark.run import Run
from wristseg.benchmark.summary import summarize

__all__ = ["MACHINE", "measure_tails"]

#: The row of the matrix product.
MACHINE = "machine"


def measure_tails(run: Run) -> None:
    """Time windows of frames one after another, nothing else running."""
    product = partial(run.tools.ask, "gemm_times", least=run.plan.tail_frames)
    turns: dict[str, Callable[[], dict[str, list[float]]]] = {MACHINE: product}
    names: dict[str, str] = {}
    for size in run.sizes:
        names[size] = f"wristseg/{run.results.runtime[size]}"
        contestant = next(found for found in CONTESTANTS if found.name == names[size])
        turns[size] = partial(_window, run, contestant, size)
    found = take_turns(turns, rounds=run.plan.tail_windows, seed=run.seed, done=run.advance)
    for size, answers in found.items():
        windows = tuple(summarize(answer["seconds"]) for answer in answers)
        known = names.get(size)
        tail = Tail(MACHINE, None, windows) if known is None else Tail(known, size, windows)
        run.results.tails.append(tail)


def _window(run: Run, contestant: Contestant, size: str) -> dict[str, list[float]]:
    # A process of its own: where the system puts its threads is part of the tail.
    with run.start(contestant) as process:
        run.load(process, contestant, size)
        amount = {"turn_s": 0.0, "least": run.plan.tail_frames}
        found: dict[str, list[float]] = process.ask(
            "predict", contestant=contestant.name, size=size, **amount
        )
    return found
