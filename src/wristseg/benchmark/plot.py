"""Draw the benchmark's picture: how many times faster per work, and how long a frame takes."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wristseg.artifacts import atomic_path
from wristseg.benchmark.results import Results

__all__ = ["draw_results"]

#: Okabe-Ito colours, told apart in grey and by colour-blind people.
_COLORS = {"wristseg": "#0072B2", "plain": "#D55E00", "smp": "#999999", "lraspp": "#CCCCCC"}


def draw_results(path: Path, results: Results) -> None:
    """Write the picture as PNG: one panel of ratios, one panel of latencies per model size."""
    sizes = list(dict.fromkeys(found.size for found in results.predictions))
    ratios = [goal for goal in results.goals if goal.value_text.endswith("x") and goal.plain]
    panels = ([len(ratios)] if ratios else []) + [
        sum(found.size == size for found in results.predictions) for size in sizes
    ]
    figure = Figure(figsize=(10, 1.2 * len(panels) + 0.38 * sum(panels)), layout="constrained")
    axes = list(figure.subplots(len(panels), 1, height_ratios=panels, squeeze=False).flat)
    if ratios:
        _draw_ratios(axes.pop(0), results)
    for panel, size in zip(axes, sizes, strict=True):
        _draw_latencies(panel, results, size)
    machine = results.machine
    figure.suptitle(f"wristseg benchmark: {machine['processor']}, {machine['cores']} cores")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _draw_ratios(axes: Axes, results: Results) -> None:
    goals = [goal for goal in results.goals if goal.value_text.endswith("x") and goal.plain][::-1]
    names = [goal.work for goal in goals]
    axes.barh(names, [goal.value for goal in goals], color=_COLORS["wristseg"], height=0.6)
    for row, goal in enumerate(goals):
        axes.plot([goal.must] * 2, [row - 0.4, row + 0.4], color="black", linewidth=2)
        if goal.aim is not None:
            axes.plot([goal.aim] * 2, [row - 0.4, row + 0.4], color="black", linestyle=":")
        right = max(goal.value, goal.must, goal.aim or 0.0)
        text = f"  {goal.value_text}   {goal.plain} → {goal.ours}"
        axes.text(right, row, text, va="center", fontsize=9)
    axes.axvline(1, color="grey", linewidth=0.8)
    highest = max(max(goal.value, goal.must, goal.aim or 0.0) for goal in goals)
    axes.set_xlim(0, highest * 1.6)
    axes.set_title(
        "times faster than the plain implementation (line: must, dotted: aim)", loc="left"
    )


def _draw_latencies(axes: Axes, results: Results, size: str) -> None:
    found = sorted(
        (p for p in results.predictions if p.size == size),
        key=lambda p: p.seconds.median,
        reverse=True,
    )
    for row, prediction in enumerate(found):
        milliseconds = 1000 * prediction.seconds.median
        color = _COLORS[prediction.contestant.partition("/")[0]]
        axes.barh(row, milliseconds, color=color, height=0.6)
        tail = 1000 * prediction.seconds.p99
        axes.plot([milliseconds, tail], [row, row], color="black", linewidth=1)
        axes.plot(tail, row, "|", color="black")
        note = "" if prediction.input == size else f" (at {prediction.input})"
        axes.text(tail, row, f"  {milliseconds:.3g} ms{note}", va="center", fontsize=9)
    floor = results.floor_s(size)
    if floor is not None:
        label = f"floor, {1000 * floor:.2g} ms"
        axes.axvline(1000 * floor, color="green", linestyle="--", label=label)
        axes.legend(loc="upper right", fontsize=9)
    axes.set_yticks(range(len(found)), [prediction.label for prediction in found])
    axes.set_xlim(0, 1.25 * max(1000 * prediction.seconds.p99 for prediction in found))
    axes.set_title(f"predict a frame, model {size}: median and p99, ms", loc="left")
