"""Robustness: figures under corruptions, and how much shadow is called the object."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.evaluate.bootstrap import resample
from wristseg.evaluate.corruptions import CORRUPTIONS
from wristseg.evaluate.robustness import measure_robustness

from .test_frames import scripted_segmenter


@pytest.fixture
def labels(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


class Answers:
    """Answers for one frame after another: the clean mask first, then those under corruption."""

    def __init__(self, labels, corrupted):
        self.labels, self.corrupted = labels, corrupted

    def __iter__(self):
        for frame in self.labels.frames:
            truth = self.labels.mask(frame)
            yield truth
            for _ in range(5 * len(CORRUPTIONS)):
                yield self.corrupted(truth)


def cells(labels, corrupted):
    segmenter = scripted_segmenter(Answers(labels, corrupted), (48, 64))
    drawn = resample([frame.recording for frame in labels.frames])
    found = measure_robustness(segmenter, labels, labels.frames, object_id=3, resampling=drawn)
    return {(cell.corruption, cell.severity): cell for cell in found}


def test_model_that_nothing_disturbs_scores_one_everywhere(labels):
    found = cells(labels, lambda truth: truth)
    assert set(found) == {(name, severity) for name in CORRUPTIONS for severity in range(6)}
    assert {cell.miou_named.value for cell in found.values()} == {1.0}
    assert {cell.object_iou.value for cell in found.values()} == {1.0}
    assert found["shadow, soft", 5].false_on_shadow.value == 0.0
    assert found["JPEG", 5].false_on_shadow is None
    for cell in found.values():
        json.dumps(cell.record(), allow_nan=False)


def test_shadow_called_the_object_is_counted(labels):
    found = cells(labels, lambda truth: np.where(truth == 2, 3, truth).astype(np.uint8))
    cell = found["shadow of the arm", 5]
    assert cell.false_on_shadow.value == 1.0
    assert cell.shadow_pixels > 0
    assert found["shadow of the arm", 0].false_on_shadow.value == 0.0
    assert cell.object_iou.value < 1.0


def test_outline_a_pixel_off_is_no_false_object(labels):
    def grown(truth):
        mask = truth.copy()
        cube = truth == 3
        mask[:, 1:][cube[:, :-1] & (truth[:, 1:] == 2)] = 3
        return mask

    cell = cells(labels, grown)["shadow, soft", 5]
    assert cell.object_iou.value < 1.0
    assert cell.false_on_shadow.value == 0.0


def test_what_a_patch_hides_does_not_count(labels):
    wrong_everywhere = cells(labels, lambda truth: np.full_like(truth, 1))
    full = wrong_everywhere["JPEG", 1].miou_named.n
    assert wrong_everywhere["occlusion", 5].miou_named.n == full
    perfect = cells(labels, lambda truth: truth)
    assert perfect["occlusion", 5].miou_named.value == 1.0
