"""Confusion matrix and IoU, against a ten-line reference and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torchmetrics.classification import MulticlassJaccardIndex

from tests.counts import times
from wristseg.classes import IGNORE_INDEX
from wristseg.metrics import class_iou, confusion_matrix, mean_iou

pairs = hnp.array_shapes(min_dims=2, max_dims=2, max_side=8).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.uint8, shape, elements=st.integers(0, 5)),
        hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 3, 4, 5, IGNORE_INDEX])),
    )
)


def reference_mean_iou(prediction, target):
    kept = target != IGNORE_INDEX
    ious = []
    for class_id in range(6):
        predicted, true = prediction[kept] == class_id, target[kept] == class_id
        union = (predicted | true).sum()
        if union:
            ious.append((predicted & true).sum() / union)
    return float(np.mean(ious)) if ious else float("nan")


@pytest.mark.tried(times(500, 5_000))
@settings(max_examples=times(500, 5_000), deadline=None)
@given(pairs)
def test_p4_mean_iou_equals_the_reference(pair):
    prediction, target = pair
    found = mean_iou(confusion_matrix(prediction, target, 6))
    assert found == pytest.approx(reference_mean_iou(prediction, target), abs=1e-12, nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=4))
def test_pooled_mean_iou_equals_torchmetrics_macro_jaccard(frames):
    oracle = MulticlassJaccardIndex(6, average="macro", ignore_index=IGNORE_INDEX)
    pooled = np.zeros((6, 6), np.int64)
    for prediction, target in frames:
        pooled += confusion_matrix(prediction, target, 6)
        oracle.update(torch.from_numpy(prediction).long(), torch.from_numpy(target).long())
    if pooled.sum():
        assert mean_iou(pooled) == pytest.approx(float(oracle.compute()), abs=1e-6)


def test_class_nobody_drew_or_predicted_does_not_count():
    iou = class_iou(np.array([[2, 0, 0], [2, 4, 0], [0, 0, 0]]))
    np.testing.assert_allclose(iou, [0.5, 4 / 6, np.nan])
    assert mean_iou(np.zeros((3, 3), np.int64)) != mean_iou(np.zeros((3, 3), np.int64))


def test_id_beyond_the_classes_is_an_error():
    with pytest.raises(ValueError, match="class id 6 with 6 classes"):
        confusion_matrix(np.array([6], np.uint8), np.array([0], np.uint8), 6)


def test_different_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"prediction is \(1, 2\), target is \(2, 1\)"):
        confusion_matrix(np.zeros((1, 2), np.uint8), np.zeros((2, 1), np.uint8), 6)
