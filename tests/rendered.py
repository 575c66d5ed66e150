"""Data sets with exact masks, as ``wristseg render --exact-masks`` leaves them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.datasets import make_coco_dataset
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.images import write_mask


def make_rendered(
    folder: Path, *, seed: int | None = None, size_hw: tuple[int, int] = (48, 64)
) -> Path:
    """Write twelve frames, and the seed where one is given; returns ``folder``."""
    make_coco_dataset(folder, frames=12, size_hw=size_hw)
    if seed is not None:
        (folder / "origin.json").write_text(json.dumps({"options": {"seed": seed}}))
    dataset = load_labels(DatasetPaths(folder))
    (folder / "exact_masks").mkdir()
    for frame in dataset.frames:
        target = folder / "exact_masks" / f"{frame.stem}.png"
        write_mask(target, dataset.mask(frame), dataset.classes)
    return folder
