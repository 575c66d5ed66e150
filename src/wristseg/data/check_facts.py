"""Measure every frame of a data set once: does its image decode, what is drawn on it.

In comes a ``LabelledDataset``, out go ``FrameFacts`` that the rules of ``data.check_rules`` judge.
Called by ``data.check``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wristseg.artifacts import sha256_of
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.progress import for_each
from wristseg.data.tag_hints import Overlap, overlap_of
from wristseg.errors import DataError

__all__ = ["FrameFacts", "duplicate_images", "measure"]


@dataclass(frozen=True)
class FrameFacts:
    """What was measured on one frame.

    Attributes:
        frame: The frame.
        damage: Why its image cannot be decoded, or None.
        pixels: Pixels by class id.
        overlap: What the draw orders decide on it.
    """

    frame: LabelledFrame
    damage: str | None
    pixels: tuple[int, ...]
    overlap: Overlap


def measure(dataset: LabelledDataset) -> list[FrameFacts]:
    """Decode and draw every frame of the data set."""

    def measure_frame(frame: LabelledFrame) -> FrameFacts:
        return _measure_frame(dataset, frame)

    return for_each(measure_frame, dataset.frames, doing="checking frames")


def duplicate_images(frames: Iterable[LabelledFrame]) -> list[tuple[str, ...]]:
    """Return the stems of frames whose image files hold the same bytes, group by group."""
    by_size: dict[int, list[LabelledFrame]] = defaultdict(list)
    for frame in frames:
        by_size[frame.image_path.stat().st_size].append(frame)
    by_hash: dict[str, list[str]] = defaultdict(list)
    for same_size in by_size.values():
        if len(same_size) > 1:
            for frame in same_size:
                by_hash[sha256_of(frame.image_path)].append(frame.stem)
    return [tuple(sorted(stems)) for stems in by_hash.values() if len(stems) > 1]


def _measure_frame(dataset: LabelledDataset, frame: LabelledFrame) -> FrameFacts:
    damage = None
    try:
        dataset.image(frame)
        mask = dataset.mask(frame)
    except DataError as error:
        damage, mask = str(error), np.zeros((0, 0), np.uint8)
    counts = np.bincount(mask.ravel(), minlength=256)[: len(dataset.classes)]
    overlap = Overlap() if frame.coco is None else overlap_of(frame.coco, dataset.classes)
    return FrameFacts(frame, damage, tuple(counts.tolist()), overlap)
