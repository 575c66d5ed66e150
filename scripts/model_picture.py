"""Draw a picture for README or docs: frames, their labels and a model's predictions, in rows."""

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
#: Of one frame in a picture three frames wide.
_SHOWN_WH = (420, 315)


def main(
    checkpoint: Path,
    /,
    *,
    stems: tuple[str, ...],
    dataset_path: Path = Path("data/dataset_v0"),
    masks_dir: Path | None = None,
    output: Path = ROOT / "docs" / "images" / "frame-label-prediction.jpg",
) -> int:
    """Draw the picture; returns the exit code.

    Args:
        checkpoint: Model that predicts.
        stems: Frames to show, one per row; take some that the model was not trained on.
        dataset_path: Data set that holds the frames and their labels.
        masks_dir: Folder of masks to show as labels in place of the outlines.
        output: The picture.
    """
    segmenter = Segmenter.load(checkpoint)
    labels = load_labels(DatasetPaths(dataset_path), masks_dir=masks_dir)
    frames = {frame.stem: frame for frame in labels.frames}
    if unknown := set(stems) - set(frames):
        print(f"{dataset_path}: no frame {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    rows = []
    for stem in stems:
        frame_rgb, label, prediction = segment_labelled(segmenter, labels, frames[stem])
        blends = [blend(frame_rgb, mask, labels.classes, alpha=0.6) for mask in (label, prediction)]
        shown = [Image.fromarray(part).resize(_SHOWN_WH) for part in (frame_rgb, *blends)]
        rows.append(np.hstack([np.asarray(part) for part in shown]))
    Image.fromarray(np.vstack(rows)).save(output, quality=80)
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
