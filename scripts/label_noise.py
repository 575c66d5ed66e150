"""Measure how far drawn labels lie from what was rendered: no model can be judged finer by them.

A model that predicted every pixel as it truly is would get these figures on the drawn labels.

  wristseg render --preset dataset-v0 --exact-masks --output outputs/exact
  python scripts/label_noise.py data/dataset_v0 outputs/exact/exact_masks --split RUN/split.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tyro

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.images import read_mask
from wristseg.metrics import class_iou, confusion_matrix
from wristseg.preprocess import PreprocessContract

_SIZES = ((84, 84), (480, 640))


def main(dataset: Path, exact: Path, /, *, split: Path | None = None) -> int:
    """Print the figures as a table; returns the exit code.

    Args:
        dataset: Data set with drawn labels.
        exact: Folder of exact masks of the same frames, as rendered.
        split: A split.json; only its validation frames count. All frames where not given.
    """
    labels = load_labels(DatasetPaths(dataset))
    count, named = len(labels.classes), slice(1, None)
    kept = None if split is None else set(json.loads(split.read_text(encoding="utf-8"))["val"])
    frames = [frame for frame in labels.frames if kept is None or frame.stem in kept]
    print(
        f"| size, {len(frames)} frames | {' | '.join(labels.classes.names)} | mean of the named |"
    )
    print("| --- " * (count + 2) + "|")
    for size_hw in _SIZES:
        contract = PreprocessContract(size_hw)
        confusion = np.zeros((count, count), np.int64)
        for frame in frames:
            drawn = contract.resize_mask(labels.mask(frame))
            truth = contract.resize_mask(read_mask(exact / f"{frame.stem}.png", num_classes=count))
            confusion += confusion_matrix(truth, drawn, count)
        iou = class_iou(confusion)
        values = " | ".join(f"{value:.3f}" for value in [*iou, np.nanmean(iou[named])])
        print(f"| {size_hw[0]}x{size_hw[1]} | {values} |")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
