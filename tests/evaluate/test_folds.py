"""Folds keep recordings together, and every frame is counted once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import UsageError
from wristseg.evaluate.folds import make_folds, pool_folds
from wristseg.evaluate.frames import evaluate

from .test_frames import scripted_segmenter


def frames_of(**sizes):
    return [
        SimpleNamespace(stem=f"{name}_{i}", tag="default", recording=name)
        for name, size in sizes.items()
        for i in range(size)
    ]


def test_a_recording_is_never_on_both_sides():
    frames = frames_of(a=23, b=9, c=43, d=47, e=48)
    folds = make_folds(frames, 3)
    assert sorted(stem for fold in folds for stem in fold.val) == sorted(f.stem for f in frames)
    for fold in folds:
        recordings = [{stem.split("_")[0] for stem in side} for side in (fold.train, fold.val)]
        assert recordings[0].isdisjoint(recordings[1])
        assert len(fold.train) + len(fold.val) == len(frames)
    assert [len(fold.val) for fold in folds] == [48, 56, 66]


def test_more_folds_than_recordings_are_refused():
    with pytest.raises(UsageError, match=r"--folds 3: the data set has 2 recordings \(a, b\)"):
        make_folds(frames_of(a=4, b=4), 3)


def test_pooled_figures_count_every_frame_once(coco_dataset):
    labels = load_labels(DatasetPaths(coco_dataset))
    parts = [labels.frames[:2], labels.frames[2:]]
    masks = [labels.mask(frame) for frame in labels.frames]
    evaluations = [
        evaluate(scripted_segmenter([labels.mask(f) for f in part], masks[0].shape), labels, part)
        for part in parts
    ]
    measured = pool_folds(evaluations)
    whole = evaluate(scripted_segmenter(masks, masks[0].shape), labels, labels.frames)
    assert (measured.evaluation.confusion == whole.confusion).all()
    assert measured.figures["val/iou"].n == len(labels.frames)
    assert "trained without its recording" in measured.chosen.said
