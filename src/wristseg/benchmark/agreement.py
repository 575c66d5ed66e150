"""Compare labels: what each runtime of wristseg predicts, against the plain fp32 forward pass.

In: running contestants and the images of a data set. Out: the share of equal labels, and val/iou of
both on the validation frames of the checkpoint. Called by ``benchmark.benchmark``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.benchmark.contestants import PLAIN, Contestant
from wristseg.benchmark.results import Agreement
from wristseg.benchmark.run import Run, Running
from wristseg.metrics import confusion_matrix, mean_iou

__all__ = ["measure_agreement"]

Masks = dict[str, NDArray[np.uint8]]


def measure_agreement(run: Run, running: Running) -> None:
    """Predict the data set's images with each runtime and with the plain implementation."""
    images = _chosen(run.images, run.plan.agreement_frames)
    own = [contestant for contestant in running if contestant.family == "wristseg"]
    for size in run.sizes:
        expected = _masks(run, running, PLAIN, size, images)
        validation = _Validation(run, size, {path.stem for path in images})
        plain_iou = validation.iou(expected)
        run.advance()
        for contestant in own:
            found = _masks(run, running, contestant, size, images)
            equal = [float((found[stem] == expected[stem]).mean()) for stem in expected]
            run.results.agreements.append(
                Agreement(
                    contestant=contestant.name,
                    size=size,
                    frames=len(images),
                    equal=float(np.mean(equal)),
                    worst_frame=min(equal),
                    val_iou=validation.iou(found),
                    plain_val_iou=plain_iou,
                )
            )
            run.advance()


def _chosen(images: Sequence[Path], frames: int | None) -> list[Path]:
    if frames is None or frames >= len(images):
        return list(images)
    return [images[i] for i in np.linspace(0, len(images) - 1, frames).astype(int)]


def _masks(
    run: Run, running: Running, contestant: Contestant, size: str, images: Sequence[Path]
) -> Masks:
    path = run.scratch / "labels.npz"
    names = [str(image) for image in images]
    running[contestant].ask(
        "labels", contestant=contestant.name, size=size, images=names, output=str(path)
    )
    with np.load(path) as file:
        arrays = [file[name] for name in file.files]
    return {image.stem: mask for image, mask in zip(images, arrays, strict=True)}


class _Validation:
    """The labels of a checkpoint's validation frames, as far as these were predicted."""

    def __init__(self, run: Run, size: str, stems: set[str]) -> None:
        from wristseg.data.labels import load_labels
        from wristseg.dataset_paths import DatasetPaths
        from wristseg.modeling.checkpoint import read_checkpoint_info

        assert run.dataset is not None
        dataset = load_labels(DatasetPaths(run.dataset))
        info = read_checkpoint_info(run.checkpoints[size])
        held_out = {Path(name).stem for name in info.split.get("val", ())} or stems
        self._contract = info.preprocess
        self._num_classes = max(len(dataset.classes), len(info.classes))
        self._labels = {
            frame.stem: dataset.mask(frame)
            for frame in dataset.frames
            if frame.stem in held_out & stems
        }

    def iou(self, masks: Masks) -> float | None:
        """Return val/iou as training computes it: at the network's size, all frames pooled."""
        if not self._labels:
            return None
        pooled = np.zeros((self._num_classes, self._num_classes), np.int64)
        for stem, label in self._labels.items():
            # A mask that was enlarged with nearest neighbour shrinks to what it was.
            predicted = self._contract.resize_mask(masks[stem])
            expected = self._contract.resize_mask(label)
            pooled += confusion_matrix(predicted, expected, self._num_classes)
        return mean_iou(pooled)
