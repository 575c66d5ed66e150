"""Figures follow from counts per frame; classes that never occur count nowhere."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.evaluate.bootstrap import resample
from wristseg.evaluate.figures import Tally, figures_of
from wristseg.evaluate.frames import evaluate
from wristseg.metrics import confusion_matrix

from .test_frames import scripted_segmenter


@pytest.fixture
def labels(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


def evaluated(labels, masks, size_hw):
    return evaluate(scripted_segmenter(masks, size_hw), labels, labels.frames)


def figures(evaluation):
    drawn = resample([result.frame.recording for result in evaluation.frames])
    return figures_of(Tally.of(evaluation), drawn)


def test_labels_themselves_are_perfect(labels):
    masks = [labels.mask(frame) for frame in labels.frames]
    found = figures(evaluated(labels, masks, masks[0].shape))
    assert {found[name].value for name in ("val/iou", "miou", "miou_named", "boundary_f")} == {1.0}
    assert (found["object/found"].value, found["object/false"].value) == (1.0, 0.0)
    assert found["object/centroid_px_p95"].value == 0.0
    assert found["miou"].interval == (1.0, 1.0)
    assert {figure.n for figure in found.values()} == {len(labels.frames)}


def test_class_that_never_occurs_counts_nowhere(labels):
    masks = [labels.mask(frame) for frame in labels.frames]
    # The default class table has six classes; a seventh that nobody draws changes nothing.
    tally = Tally.of(evaluated(labels, masks, masks[0].shape))
    wider = [
        np.pad(tally.network, ((0, 0), (0, 1), (0, 1))),
        np.pad(tally.full, ((0, 0), (0, 1), (0, 1))),
        np.pad(tally.contours, ((0, 0), (0, 1), (0, 0))),
    ]
    same = (tally.object_id, *wider, tally.labelled, tally.found, tally.false, tally.error_px)
    weights = np.ones(len(labels.frames), np.int64)
    values = Tally((*tally.names, "cup"), *same).values(weights)
    assert np.isnan(values["iou/cup"])
    assert np.isnan(values["boundary_f/cup"])
    assert {name: values[name] for name in tally.values(weights)} == tally.values(weights)


def test_named_mean_leaves_class_0_out(labels):
    truth = [labels.mask(frame) for frame in labels.frames]
    holes = [np.where(mask == 0, 2, mask).astype(np.uint8) for mask in truth]
    found = figures(evaluated(labels, holes, truth[0].shape))
    assert found["iou/unlabeled"].value == 0.0
    assert found["miou_named"].value > found["miou"].value


def test_weights_repeat_frames(labels):
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 6, (len(labels.frames), 48, 64), np.uint8)
    tally = Tally.of(evaluated(labels, noise, (48, 64)))
    twice = tally.values(np.array([2, 0, 0, 1, 0, 0]))
    truth = [labels.mask(frame) for frame in labels.frames]
    pooled = 2 * confusion_matrix(noise[0], truth[0], 6) + confusion_matrix(noise[3], truth[3], 6)
    iou = np.diag(pooled) / (pooled.sum(0) + pooled.sum(1) - np.diag(pooled))
    assert twice["miou"] == pytest.approx(np.mean(iou))
    assert twice["iou/cube"] == pytest.approx(iou[3])


def test_interval_surrounds_a_figure_that_recordings_disagree_on(labels):
    blank = np.full((48, 64), 2, np.uint8)
    masks = [labels.mask(frame) if frame.recording == "demo0" else blank for frame in labels.frames]
    found = figures(evaluated(labels, masks, (48, 64)))["object/found"]
    assert found.value == 0.5
    assert found.interval == (0.0, 1.0)


def test_network_s_size_and_frame_s_size_are_two_figures(labels):
    coarse = itertools.repeat(np.full((12, 16), 2, np.uint8))
    evaluation = evaluated(labels, coarse, (12, 16))
    assert evaluation.confusion.sum() == len(labels.frames) * 12 * 16
    assert evaluation.full_confusion.sum() == len(labels.frames) * 48 * 64


def test_data_without_a_cube_has_no_object_figures(labels):
    names = tuple("cup" if name == "cube" else name for name in labels.classes.names)
    orders = {
        tag: tuple(names[i] for i in labels.classes.order_ids(tag))
        for tag in labels.classes.draw_orders
    }
    classes = type(labels.classes)(names, labels.classes.colors_rgb, orders)
    masks = [labels.mask(frame) for frame in labels.frames]
    cups = dataclasses.replace(labels, classes=classes)
    segmenter = scripted_segmenter(masks, masks[0].shape, classes=classes)
    found = figures(evaluate(segmenter, cups, cups.frames))
    assert not [name for name in found if name.startswith("object/")]
    segmenter = scripted_segmenter(masks, masks[0].shape, classes=classes)
    named = figures(evaluate(segmenter, cups, cups.frames, object_class="cup"))
    assert named["object/found"].value == 1.0
