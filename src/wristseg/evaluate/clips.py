"""How steady a model's masks are over a clip; no labels are needed.

- **Flicker**: share of pixels whose class changes from frame t to t+1 and is back at t+2. A thing
  that moves by less than half its width per frame changes a pixel once at each of its edges; to and
  fro within three frames is the model, or something thin and quick. Measures that follow each point
  with optical flow ("Temporally stable video segmentation without video annotations", Azulay et
  al., WACV 2022, https://arxiv.org/abs/2110.08893) also see edges that crawl, but take the flow for
  the truth, which it is not on plain tables and in shadows.
- **Jitter**: length of the second difference of the object's centroid,
  ``c(t-1) - 2 c(t) + c(t+1)``, in pixels of the frame. A motion of even speed has none.
- **Dropouts** and **flashes**: frames without the object between two with it, and the reverse.

In: videos and a model. Out: one ``ClipResult`` per video.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.data.progress import with_progress
from wristseg.errors import DataError, UsageError
from wristseg.evaluate.objects import centroid_xy, least_pixels
from wristseg.model_info import json_values
from wristseg.predict import Segmenter
from wristseg.predict.sources import find_sources
from wristseg.predict.video import VideoReader

__all__ = ["ClipResult", "find_clips", "measure_clip", "steadiness"]


@dataclass(frozen=True)
class ClipResult:
    """How steady the masks of one clip are.

    Attributes:
        path: The video.
        frames: Frames that were segmented.
        flicker: Share of pixels that change to and fro; NaN for fewer than three frames.
        object_frames: Frames with the object, large enough to count.
        jitter_px: Median and 95th percentile; NaN where it is not in three frames running.
        jitter_n: Threes of frames behind them.
        dropouts: Frames without the object between two with it.
        flashes: Frames with the object between two without it.
        problems: What is wrong with the video.
    """

    path: Path
    frames: int
    flicker: float
    object_frames: int
    jitter_px: tuple[float, float]
    jitter_n: int
    dropouts: int
    flashes: int
    problems: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return what ``metrics.json`` says about it."""
        median, p95 = self.jitter_px
        said = {
            "clip": self.path,
            "frames": self.frames,
            "flicker": {"value": self.flicker, "n": max(self.frames - 2, 0)},
            "object_frames": self.object_frames,
            "jitter_px_median": {"value": median, "n": self.jitter_n},
            "jitter_px_p95": {"value": p95, "n": self.jitter_n},
            "dropouts": self.dropouts,
            "flashes": self.flashes,
            "problems": self.problems,
        }
        plain: dict[str, Any] = json_values(said)
        return plain


def find_clips(given: Sequence[Path]) -> list[Path]:
    """Return the videos that ``--clip`` names, those of folders included.

    Raises:
        UsageError: A folder holds no video, or a file is none.
        DataError: There is no such file.
    """
    clips = []
    for path in given:
        found = find_sources(str(path), option="--clip")
        videos = [source.path for source in found if source.kind == "video"]
        if not videos:
            raise UsageError(f"--clip {path}: no video")
        clips += videos
    return list(dict.fromkeys(clips))


def measure_clip(segmenter: Segmenter, path: Path, *, object_id: int | None) -> ClipResult:
    """Segment a clip and say how steady its masks are.

    Args:
        segmenter: The model.
        path: The video; what of it cannot be decoded is left out and named.
        object_id: Class whose centroid is followed, or None.

    Raises:
        DataError: It is no video, or no frame of it can be decoded.
    """
    with VideoReader(path) as video:
        shown = with_progress(video, total=video.declared_frames or 0, doing=path.name)
        masks = (segmenter.predict_rgb(frame.rgb) for frame in shown)
        result = steadiness(path, masks, object_id=object_id)
        problems = tuple(video.problems)
    if result.frames == 0:
        raise DataError(path, problems or "no frame could be decoded")
    return ClipResult(**{**vars(result), "problems": problems})


def steadiness(
    path: Path, masks: Iterable[NDArray[np.uint8]], *, object_id: int | None
) -> ClipResult:
    """Measure flicker and jitter of masks in order; three of them are held at a time.

    Args:
        path: Name of the clip.
        masks: (H, W) uint8 each, class ids, of one size.
        object_id: Class whose centroid is followed, or None.
    """
    last: list[NDArray[np.uint8]] = []
    centroids: list[tuple[float, float] | None] = []
    flickering = pixels = 0
    for mask in masks:
        last = [*last[-2:], mask]
        if len(last) == 3:
            before, between, after = last
            flickering += int(np.count_nonzero((before == after) & (before != between)))
            pixels += mask.size
        centroids.append(_centroid(mask, object_id))
    jitter = _second_differences(centroids)
    there = [centroid is not None for centroid in centroids]
    return ClipResult(
        path=path,
        frames=len(centroids),
        flicker=flickering / pixels if pixels else math.nan,
        object_frames=sum(there),
        jitter_px=_median_and_p95(jitter),
        jitter_n=len(jitter),
        dropouts=_count(there, [True, False, True]),
        flashes=_count(there, [False, True, False]),
    )


def _centroid(mask: NDArray[np.uint8], object_id: int | None) -> tuple[float, float] | None:
    inside = mask == object_id
    if object_id is None or np.count_nonzero(inside) < least_pixels(mask.shape):
        return None
    return centroid_xy(inside)


def _second_differences(centroids: Sequence[tuple[float, float] | None]) -> list[float]:
    found = []
    for first, middle, last in zip(centroids, centroids[1:], centroids[2:], strict=False):
        if first is not None and middle is not None and last is not None:
            steps = (a - 2 * b + c for a, b, c in zip(first, middle, last, strict=True))
            found.append(math.hypot(*steps))
    return found


def _median_and_p95(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return math.nan, math.nan
    median, p95 = np.quantile(values, [0.5, 0.95])
    return float(median), float(p95)


def _count(there: Sequence[bool], pattern: list[bool]) -> int:
    return sum(list(there[i : i + 3]) == pattern for i in range(len(there) - 2))
