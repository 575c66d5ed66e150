"""Pictures of ``wristseg mask-noise``: real and made errors side by side, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.evaluate.noise_compare import Summary
from wristseg.evaluate.noise_fit import Pair
from wristseg.evaluate.noise_lengths import LONGEST_FRAMES
from wristseg.overlay import colorize
from wristseg.policy.mask_errors import REACH_PX

if TYPE_CHECKING:
    from wristseg.evaluate.mask_noise import FittedNoise

__all__ = ["masks_png", "noise_png"]

#: Okabe-Ito blue and vermilion.
_COLORS = {"real": "#0072B2", "made": "#D55E00"}
_COLUMNS, _SCALE = 10, 2


def noise_png(fitted: FittedNoise, classes: ClassTable) -> bytes:
    """Draw confusion, outlines, IoU, frames, object and lengths, real beside made."""
    both = {"real": fitted.real, "made": fitted.made}
    figure = Figure(figsize=(15, 9), layout="constrained")
    panels = figure.subplots(2, 4)
    occurring = np.flatnonzero(fitted.real.confusion.sum(axis=1))
    for axes, (name, summary) in zip(panels[0, :2], both.items(), strict=True):
        _confusion(axes, summary, classes, occurring, title=f"{name} confusion, %")
    _outlines(panels[0, 2], both)
    _bars(
        panels[0, 3],
        {name: summary.iou[occurring] for name, summary in both.items()},
        [classes.names[i] for i in occurring],
        title="IoU by class",
    )
    _frames(panels[1, 0], both)
    _bars(
        panels[1, 1],
        {name: np.array([summary.missed, summary.false]) for name, summary in both.items()},
        ["missed, of those there", "false, per frame"],
        title="object",
    )
    _bars(
        panels[1, 2],
        {name: summary.outline_sigma_px[occurring] for name, summary in both.items()},
        [classes.names[i] for i in occurring],
        title="outlines waver, px",
    )
    _lengths(panels[1, 3], fitted)
    figure.suptitle(
        f"Real errors and made ones, on {len(fitted.real.wrong)} frames kept apart from the fit"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()


def masks_png(real: Sequence[Pair], made: Sequence[Pair], classes: ClassTable) -> bytes:
    """Show some true masks, the model's below them, and made ones below those."""
    spread = np.linspace(0, len(real) - 1, min(_COLUMNS, len(real))).astype(int)
    rows = [
        [real[i][0] for i in spread],
        [real[i][1] for i in spread],
        [made[i][1] for i in spread],
    ]
    picture = np.concatenate([_row(row, classes) for row in rows])
    height, width = (_SCALE * side for side in picture.shape[:2])
    large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    _, content = cv2.imencode(".png", cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    return bytes(content)


def _row(masks: Sequence[NDArray[np.uint8]], classes: ClassTable) -> NDArray[np.uint8]:
    colored = [np.pad(colorize(mask, classes), ((1, 1), (1, 1), (0, 0))) for mask in masks]
    return np.concatenate(colored, axis=1)


def _confusion(
    axes: Axes, summary: Summary, classes: ClassTable, rows: NDArray[np.int64], *, title: str
) -> None:
    counts = summary.confusion[rows].astype(float)
    share = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*share.shape):
        color = "white" if share[row, column] > 60 else "black"
        text = f"{share[row, column]:.1f}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    axes.set_xticks(range(len(classes)), classes.names, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), [classes.names[i] for i in rows])
    axes.set(title=title, xlabel="seen")


def _outlines(axes: Axes, both: dict[str, Summary]) -> None:
    edges = np.arange(-REACH_PX - 0.5, REACH_PX + 1.0).tolist()
    for name, summary in both.items():
        axes.hist(
            summary.moved_px, edges, density=True, histtype="step", lw=2,
            color=_COLORS[name], label=name,
        )  # fmt: skip
    axes.set(title="outlines moved by, px", xlabel="inwards          outwards")
    axes.legend()


def _bars(
    axes: Axes, values: dict[str, NDArray[np.float64]], names: Sequence[str], *, title: str
) -> None:
    places = np.arange(len(names))
    for shift, (name, heights) in zip((-0.2, 0.2), values.items(), strict=True):
        axes.bar(places + shift, np.nan_to_num(heights), 0.4, color=_COLORS[name], label=name)
    axes.set_xticks(places, names, rotation=25, ha="right")
    axes.set_title(title)
    axes.legend(loc="lower right")


def _frames(axes: Axes, both: dict[str, Summary]) -> None:
    for name, summary in both.items():
        share = np.sort(summary.wrong)
        axes.plot(
            share, (np.arange(len(share)) + 0.5) / len(share), color=_COLORS[name], label=name
        )
    axes.set(title="share of frames with at most", xlabel="wrong pixels, share", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()


def _lengths(axes: Axes, fitted: FittedNoise) -> None:
    frames = np.arange(1, LONGEST_FRAMES + 1)
    both = {"real": fitted.real_lengths, "made": fitted.made_lengths}
    for name, lengths in both.items():
        total = int(lengths.excursions.sum())
        if total:
            label = f"{name}, mean {lengths.flicker_frames:.1f}"
            axes.plot(frames, lengths.excursions / total, "o-", color=_COLORS[name], label=label)
    title = "errors of a pixel last, frames"
    if not fitted.real_lengths.excursions.any():
        title += "\n(not measured: no --clip)"
    axes.set(title=title, ylim=(0, None))
    if axes.lines:
        axes.legend()
