"""Measure what the temporal filter of `wristseg live` brings on clips, and what it costs.

Flicker, jitter and dropouts are those of ``wristseg val --clip`` (``wristseg.evaluate.clips``); the
shift is the distance between the cube's centroid with and without the filter in the same frame.

  python scripts/measure_filter.py outputs/run_84/best.ckpt data/clips/*.mp4
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from statistics import fmean

import numpy as np
import tyro
from numpy.typing import NDArray

from wristseg.evaluate.clips import ClipResult, steadiness
from wristseg.evaluate.objects import centroid_xy, least_pixels, object_id_of
from wristseg.live import FilterSettings, TemporalFilter
from wristseg.predict import Segmenter
from wristseg.predict.video import VideoReader

_Mask = NDArray[np.uint8]

_COLUMNS = (
    "clip", "filter", "flicker", "of that without", "jitter px, median and p95", "dropouts",
    "shift px, mean and p95", "ms",
)  # fmt: skip


def main(
    checkpoint: Path,
    clips: tuple[Path, ...],
    /,
    *,
    moved: tuple[float, ...] = (10.0,),
    least_area: tuple[float, ...] = (0.0, 1 / 2000),
    device: str = "auto",
) -> int:
    """Print a table of each clip without the filter and with it; returns the exit code.

    Args:
        checkpoint: Model file.
        clips: Videos.
        moved: Values of ``FilterSettings.moved`` to try, beside None.
        least_area: Values of ``FilterSettings.least_area`` to try, the first with each ``moved``.
        device: Where the network runs.
    """
    settings = [FilterSettings(moved=value, least_area=least_area[0]) for value in (*moved, None)]
    settings += [FilterSettings(moved=moved[0], least_area=value) for value in least_area[1:]]
    segmenter = Segmenter.load(checkpoint, device=device)
    cube = object_id_of(segmenter.classes, None)
    print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}")
    for clip in clips:
        with VideoReader(clip) as video:
            frames = [frame.rgb[..., ::-1] for frame in video]
        plain = [segmenter.predict(frame) for frame in frames]
        before = steadiness(clip, plain, object_id=cube)
        print(_row(clip, "none", (before, before), [], ms=0.0))
        for chosen in settings:
            shown, seconds = _filtered(frames, plain, TemporalFilter(chosen))
            after = steadiness(clip, shown, object_id=cube)
            shifts = [] if cube is None else _shifts(plain, shown, cube)
            name = f"moved {chosen.moved}, least area {chosen.least_area:g}"
            print(_row(clip, name, (before, after), shifts, ms=1000 * seconds / len(frames)))
    return 0


def _filtered(
    frames: list[_Mask], masks: list[_Mask], chosen: TemporalFilter
) -> tuple[list[_Mask], float]:
    began = time.perf_counter()
    shown = [chosen.apply(frame, mask) for frame, mask in zip(frames, masks, strict=True)]
    return shown, time.perf_counter() - began


def _shifts(plain: list[_Mask], shown: list[_Mask], class_id: int) -> list[float]:
    """Return the distance of the centroids in frames where both have the object."""
    found = []
    for before, after in zip(plain, shown, strict=True):
        both = [mask == class_id for mask in (before, after)]
        if all(np.count_nonzero(inside) >= least_pixels(inside.shape) for inside in both):
            found.append(math.dist(centroid_xy(both[0]), centroid_xy(both[1])))
    return found


def _row(
    clip: Path, name: str, sides: tuple[ClipResult, ClipResult], shifts: list[float], *, ms: float
) -> str:
    before, after = sides
    share = after.flicker / before.flicker if before.flicker else math.nan
    median, p95 = after.jitter_px
    shift = "-" if not shifts else f"{fmean(shifts):.2f}, {np.quantile(shifts, 0.95):.2f}"
    return (
        f"| {clip.stem} | {name} | {after.flicker:.4%} | {share:.2f} | {median:.2f}, {p95:.2f} "
        f"| {after.dropouts} | {shift} | {ms:.1f} |"
    )


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
