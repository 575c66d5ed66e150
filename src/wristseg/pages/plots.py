"""Plots as PNG bytes, for run folders and for pages.

matplotlib's figures are used without pyplot, which keeps global state and may look for a screen.
Not imported with the package: matplotlib takes a second to load.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wristseg.classes import ClassTable

__all__ = ["confusion_png", "lines_png"]


def confusion_png(confusion: NDArray[np.int64], classes: ClassTable) -> bytes:
    """Draw which share of each class's pixels was predicted as what.

    Args:
        confusion: (C, C) int64, rows are true classes.
        classes: Names of the classes.
    """
    total = confusion.sum(axis=1, keepdims=True)
    share = np.divide(confusion, total, out=np.zeros(confusion.shape), where=total > 0)
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes.names, rotation=30, ha="right")
    axes.set_yticks(ticks, classes.names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    for row, column in np.ndindex(*share.shape):
        color = "white" if share[row, column] > 0.6 else "black"
        text = f"{100 * share[row, column]:.1f}"
        axes.text(column, row, text, ha="center", va="center", color=color)
    figure.colorbar(image, label="share of the labelled class (numbers: %)")
    return _png(figure)


def lines_png(
    panels: Mapping[str, Mapping[str, Sequence[float]]], *, x: Sequence[float], x_label: str
) -> bytes:
    """Draw panels of lines side by side, all from 0 to 1.

    Args:
        panels: Title to name to values, one per ``x``; NaN leaves a gap.
        x: Where the values stand.
        x_label: What ``x`` is.
    """
    figure = Figure(figsize=(6.2 * len(panels), 4.6), layout="constrained")
    markers = "osv^D*Px"
    for axes, (title, lines) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True
    ):
        for i, (name, values) in enumerate(lines.items()):
            axes.plot(x, values, label=name, marker=markers[i % len(markers)], markersize=5)
        axes.set(title=title, xlabel=x_label, ylim=(0, 1), xticks=list(x))
        axes.grid(alpha=0.3)
        axes.legend()
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()
