"""Draw README's picture: a validation frame, its label and a model's prediction side by side."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.evaluate.frames import segment_labelled
from wristseg.overlay import blend
from wristseg.predict import Segmenter

ROOT = Path(__file__).resolve().parent.parent


def main(checkpoint: Path, *, stem: str, dataset_path: Path = Path("data/dataset_v0")) -> int:
    """Draw the picture; returns the exit code.

    Args:
        checkpoint: Model that predicts.
        stem: Frame to show; take one that the model was not trained on.
        dataset_path: Data set that holds the frame and its label.
    """
    segmenter = Segmenter.load(checkpoint)
    labels = load_labels(DatasetPaths(dataset_path))
    frame = next(frame for frame in labels.frames if frame.stem == stem)
    frame_rgb, label, prediction = segment_labelled(segmenter, labels, frame)
    blends = [blend(frame_rgb, mask, labels.classes, alpha=0.6) for mask in (label, prediction)]
    picture = Image.fromarray(np.hstack([frame_rgb, *blends]))
    picture.resize((1260, 315), Image.Resampling.LANCZOS).save(
        ROOT / "docs" / "images" / "frame-label-prediction.jpg", quality=88
    )
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
