"""Hold predictions for Label Studio against its own converter: the same pixels have to come back.

``wristseg preannotate`` writes tasks for a few frames, as brush masks and as exact polygons;
``label_studio_export`` submits and exports them with Label Studio's code; what that gives is read
and compared with the model's masks, pixel by pixel. Called by ``just label-studio``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.data.labels import load_labels
from wristseg.data.names import source_stem
from wristseg.dataset_paths import DatasetPaths
from wristseg.images import read_image_rgb
from wristseg.labeling.config import PreannotateConfig
from wristseg.labeling.preannotate import preannotate
from wristseg.predict import Segmenter

ROOT = Path(__file__).resolve().parent.parent
EXPORT = ROOT / "scripts" / "label_studio_export.py"
RUN = ("uv", "run", "--quiet", "--script")


def main(
    images: Path = ROOT / "data" / "dataset_v0" / "images" / "default",
    *,
    checkpoint: Path = Path("sim-84"),
    count: int = 3,
) -> int:
    """Compare; returns 0 where every pixel came back, else 1.

    Args:
        images: Folder of frames.
        checkpoint: Model whose masks go there and back.
        count: Frames, spread over the folder.
    """
    found = sorted(path for path in images.iterdir() if path.is_file())
    chosen = [found[int(place)] for place in np.linspace(0, len(found) - 1, count)]
    segmenter = Segmenter.load(checkpoint, device="cpu")
    masks = [segmenter.predict_rgb(read_image_rgb(path)) for path in chosen]
    wrong = 0
    for shape, read in (("rle", _brushes), ("polygon", _polygons)):
        with tempfile.TemporaryDirectory(prefix="wristseg_label_studio_") as folder:
            export = _exported(chosen, checkpoint, shape, Path(folder))
            again = read(export, segmenter.classes)
        pixels = sum(int(np.sum(a != b)) for a, b in zip(again, masks, strict=True))
        print(f"{shape}: {count} frames through Label Studio's converter, {pixels} pixels differ")
        wrong += pixels
    return 1 if wrong else 0


def _exported(images: list[Path], checkpoint: Path, shape: str, folder: Path) -> Path:
    """Return Label Studio's export of the predictions that wristseg wrote."""
    stored = folder / "storage" / "images"  # where tasks say that images are, by default
    stored.mkdir(parents=True)
    inputs = tuple(str(shutil.copy(image, stored)) for image in images)
    config = PreannotateConfig(
        inputs,
        checkpoint,
        folder / "tasks",
        format="label-studio",
        shape="rle" if shape == "rle" else "polygon",
        tolerance=0.0,
        device="cpu",
    )
    preannotate(config)
    places = [str(folder / name) for name in ("tasks", "out")]
    environment = {**os.environ, "LOCAL_FILES_DOCUMENT_ROOT": str(stored.parent)}
    subprocess.run([*RUN, str(EXPORT), *places], check=True, env=environment)
    return folder / "out" / "export"


def _brushes(export: Path, classes: ClassTable) -> list[NDArray[np.uint8]]:
    """Read one file per task and class, ``task-<number>-annotation-...-<class>-0.npy``."""
    masks: dict[int, NDArray[np.uint8]] = {}
    for path in export.glob("*.npy"):
        plane = np.load(path)
        mask = masks.setdefault(int(path.name.split("-")[1]), np.zeros(plane.shape, np.uint8))
        mask[plane > 0] = classes.names.index(path.stem.split("-")[-2])
    return [masks[number] for number in sorted(masks)]


def _polygons(export: Path, _classes: ClassTable) -> list[NDArray[np.uint8]]:
    """Read the export as training reads a data set."""
    dataset = load_labels(DatasetPaths(export))
    frames = sorted(dataset.frames, key=lambda frame: source_stem(frame.stem))
    return [dataset.mask(frame) for frame in frames]


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
