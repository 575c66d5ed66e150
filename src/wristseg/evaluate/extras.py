"""What a report shows besides labelled frames: clips, and frames under corruptions.

In: ``ClipResult`` and ``Cell`` of ``evaluate.clips`` and ``evaluate.robustness``. Out: tables and a
plot for the page. Called by ``evaluate.validate``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from wristseg.evaluate.clips import ClipResult
from wristseg.evaluate.figures import Figure
from wristseg.evaluate.report import Plot, Table
from wristseg.evaluate.robustness import Cell
from wristseg.pages.plots import lines_png

__all__ = ["clip_table", "robustness_plot", "robustness_tables"]


def clip_table(clips: Sequence[ClipResult]) -> Table:
    """Lay out how steady the masks of each clip are."""
    return Table(
        "Clips",
        "Flicker: pixels whose class changes for one frame and is back in the next. Jitter: second "
        "difference of the object's centre. No labels are needed for either.",
        (
            *("clip", "frames", "flicker", "with object", "jitter, median", "jitter, 95 %"),
            *("dropouts", "flashes"),
        ),
        tuple(_clip_row(clip) for clip in clips),
    )


def robustness_tables(cells: Sequence[Cell], *, object_name: str | None) -> list[Table]:
    """Lay out one table per figure: corruptions down, severities across."""
    tables = [
        _table(
            "Robustness: mean IoU over the named classes",
            "Severity 0 is the frame as it is; intervals are those of severity 5. What a patch "
            "hides does not count.",
            cells,
            lambda cell: cell.miou_named,
        )
    ]
    if object_name is None:
        return tables
    tables.append(
        _table(
            f"Robustness: IoU of {object_name}", "As above.", cells, lambda cell: cell.object_iou
        )
    )
    shadows = [cell for cell in cells if cell.false_on_shadow is not None]
    if shadows:
        note = (
            "Percent of the shadowed table's pixels that lie further than 2 % of the frame's width "
            f"from the labelled {object_name}; severity 0: the same pixels without a shadow."
        )
        title = f"Robustness: shadow called {object_name}, %"
        tables.append(_table(title, note, shadows, lambda cell: cell.false_on_shadow, percent=True))
    return tables


def robustness_plot(cells: Sequence[Cell], *, object_name: str | None) -> Plot:
    """Draw both IoUs over the severities."""
    panels = {"mean IoU, named classes": _lines(cells, lambda cell: cell.miou_named)}
    if object_name is not None:
        panels[f"IoU of {object_name}"] = _lines(cells, lambda cell: cell.object_iou)
    severities = sorted({cell.severity for cell in cells})
    png = lines_png(panels, x=severities, x_label="severity")
    return Plot("Robustness", "Each line is one corruption; 0 is the frame as it is.", png)


def _clip_row(clip: ClipResult) -> tuple[str, ...]:
    median, p95 = (_text(value, "{:.2f} px") for value in clip.jitter_px)
    name = clip.path.name + "".join(f" ({problem})" for problem in clip.problems)
    counts = (str(clip.dropouts), str(clip.flashes))
    flicker = _text(clip.flicker, "{:.3%}")
    return (name, str(clip.frames), flicker, str(clip.object_frames), median, p95, *counts)


def _table(
    title: str,
    note: str,
    cells: Sequence[Cell],
    of: Callable[[Cell], Figure | None],
    *,
    percent: bool = False,
) -> Table:
    severities = sorted({cell.severity for cell in cells})
    shown = "{:.3%}" if percent else "{:.3f}"
    rows = []
    for name in dict.fromkeys(cell.corruption for cell in cells):
        figures = [of(cell) for cell in cells if cell.corruption == name]
        values = [_text(math.nan if f is None else f.value, shown) for f in figures]
        ends = figures[-1].interval if figures[-1] is not None else None
        between = "-" if ends is None else " to ".join(shown.format(end) for end in ends)
        frames = "-" if figures[-1] is None else str(figures[-1].n)
        rows.append((name, *values, between, frames))
    head = ("corruption", *map(str, severities), "95 % interval", "frames")
    return Table(title, note, head, tuple(rows))


def _lines(cells: Sequence[Cell], of: Callable[[Cell], Figure | None]) -> dict[str, list[float]]:
    lines: dict[str, list[float]] = {}
    for cell in cells:
        figure = of(cell)
        lines.setdefault(cell.corruption, []).append(math.nan if figure is None else figure.value)
    return lines


def _text(value: float, shown: str) -> str:
    return "-" if math.isnan(value) else shown.format(value)
