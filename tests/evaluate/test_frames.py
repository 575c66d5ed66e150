"""Evaluation counts agreement between a model and labels, per frame and pooled."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.evaluate.frames import evaluate
from wristseg.metrics import confusion_matrix, mean_iou
from wristseg.model_info import ModelInfo
from wristseg.predict import Segmenter
from wristseg.preprocess import PreprocessContract


class Scripted:
    """A backend that answers with the masks it was given, in order."""

    runtime, device, color_order, frame_hw = "scripted", "cpu", "rgb", None

    def __init__(self, masks):
        self.masks = iter(masks)

    def class_ids(self, batch):
        return np.stack([next(self.masks) for _ in batch])


def scripted_segmenter(masks, size_hw, *, classes=DEFAULT_CLASSES, val=(), train=()):
    info = ModelInfo(
        path=Path("scripted"),
        legacy=False,
        classes=classes,
        preprocess=PreprocessContract(size_hw),
        num_parameters=0,
        split={"train": train, "val": val},
    )
    return Segmenter(Scripted(masks), info)


@pytest.fixture
def labels(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


def test_the_labels_themselves_score_one(labels):
    masks = [labels.mask(frame) for frame in labels.frames]
    result = evaluate(scripted_segmenter(masks, masks[0].shape), labels, labels.frames)
    assert result.mean_iou == 1.0
    assert [frame.iou for frame in result.frames] == [1.0] * len(masks)
    assert result.confusion.sum() == sum(mask.size for mask in masks)


@pytest.mark.parametrize("size_hw", [(12, 16), (96, 160)])
def test_frames_are_compared_at_the_network_s_size(labels, size_hw):
    noise = np.random.default_rng(0).integers(0, 6, (len(labels.frames), *size_hw), np.uint8)
    truth = [PreprocessContract(size_hw).resize_mask(labels.mask(f)) for f in labels.frames]
    result = evaluate(scripted_segmenter(noise, size_hw), labels, labels.frames)
    assert np.array_equal(result.confusion, confusion_matrix(noise, np.stack(truth), 6))


def test_pooled_iou_is_not_the_mean_of_frames(labels):
    wrong = [np.full(labels.frames[0].size_hw, 2, np.uint8) for _ in labels.frames]
    wrong[0] = labels.mask(labels.frames[0])
    result = evaluate(scripted_segmenter(wrong, wrong[0].shape), labels, labels.frames)
    truth = np.stack([labels.mask(frame) for frame in labels.frames])
    assert result.mean_iou == mean_iou(confusion_matrix(np.stack(wrong), truth, 6))
    assert result.ranked()[-1].frame == labels.frames[0]
    assert result.class_iou()["moving_finger"] < 1.0


def test_model_of_other_classes_is_refused(labels):
    names = (*DEFAULT_CLASSES.names[:5], "thumb")
    orders = {
        tag: tuple(names[i] for i in DEFAULT_CLASSES.order_ids(tag))
        for tag in DEFAULT_CLASSES.draw_orders
    }
    classes = type(DEFAULT_CLASSES)(names, DEFAULT_CLASSES.colors_rgb, orders)
    with pytest.raises(DataError, match="thumb"):
        evaluate(scripted_segmenter([], (12, 16), classes=classes), labels, labels.frames)


def test_what_a_crop_cuts_off_counts_nowhere(labels):
    side = 48  # of frames of 48x64
    segmenter = scripted_segmenter(
        [labels.mask(frame)[:, 8:56] for frame in labels.frames], (side, side)
    )
    contract = PreprocessContract((side, side), "center-square")
    cropped = Segmenter(
        segmenter._network, dataclasses.replace(segmenter.info, preprocess=contract)
    )
    result = evaluate(cropped, labels, labels.frames)
    assert result.mean_iou == 1.0
    assert result.full_confusion.sum() == len(labels.frames) * side * side
    assert [frame.iou for frame in result.frames] == [1.0] * len(labels.frames)
