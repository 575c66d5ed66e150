"""Which frames a model is measured on, and what is said about them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.evaluate.config import ValConfig
from wristseg.evaluate.sides import choose_frames, load_labelled
from wristseg.packed_file import model_path

from .test_frames import scripted_segmenter


@pytest.fixture
def labels(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


@pytest.fixture
def stems(labels):
    return [frame.stem for frame in labels.frames]


def info_of(*, val=(), train=(), **changes):
    return dataclasses.replace(
        scripted_segmenter([], (48, 64), val=val, train=train).info, **changes
    )


def test_a_model_is_measured_on_its_validation_frames(labels, stems):
    chosen = choose_frames(labels, info_of(val=stems[:2], train=stems[2:]))
    assert [frame.stem for frame in chosen.frames] == stems[:2]
    assert chosen.side == "val"
    assert "that training did not see" in chosen.said


def test_all_frames_of_a_data_set_that_training_never_saw(labels):
    chosen = choose_frames(labels, info_of(val=["elsewhere_0"], train=["elsewhere_1"]))
    assert (chosen.side, chosen.frames) == ("all", labels.frames)
    assert "6 frames that training did not see." in chosen.said


def test_frames_of_the_training_are_named_as_such(labels, stems):
    info = info_of(val=stems[:2], train=stems[2:])
    assert "4 of which the model was trained on" in choose_frames(labels, info, side="all").said
    assert "4 of which" in choose_frames(labels, info, side="train").said


def test_model_without_a_split_says_that_nothing_is_proved(labels):
    assert "prove nothing" in choose_frames(labels, info_of()).said


def test_weights_that_ship_in_the_package_say_what_they_were_trained_on(labels):
    said = choose_frames(labels, info_of(path=model_path("sim-84"))).said
    assert "6 frames. The weights that ship in the package were trained on frames of" in said


def test_part_of_the_validation_frames_is_refused(labels, stems):
    with pytest.raises(DataError, match=r"are not in the data set: gone_7.*--side all"):
        choose_frames(labels, info_of(val=[stems[0], "gone_7"], train=stems[1:]))


def test_split_file_goes_before_the_model_s_own(labels, stems, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": stems[1:], "val": stems[:1]}))
    info = info_of(val=stems[3:], train=stems[:3])
    chosen = choose_frames(labels, info, split_file=path)
    assert [frame.stem for frame in chosen.frames] == stems[:1]
    assert "1 of which the model was trained on" in chosen.said
    path.write_text(json.dumps({"train": stems[2:], "val": stems[:1]}))
    with pytest.raises(DataError, match="lists 5 frames, the data set has 6"):
        choose_frames(labels, info, split_file=path)


def test_changed_labels_are_said(labels, stems):
    info = info_of(val=stems[:2], train=stems[2:], dataset_sha256="other")
    assert "differ from those of the training" in choose_frames(labels, info).said


def test_data_set_of_the_training_is_found_by_the_model_s_word(coco_dataset, tmp_path):
    info = info_of(config={"dataset_path": str(coco_dataset)})
    assert len(load_labelled(ValConfig(tmp_path / "m.ckpt"), info).frames) == 6
    with pytest.raises(UsageError, match="does not say what it was trained on; give --dataset"):
        load_labelled(ValConfig(tmp_path / "m.ckpt"), info_of())


def test_options_that_contradict_each_other_are_refused(tmp_path):
    model, split = tmp_path / "m.ckpt", tmp_path / "split.json"
    with pytest.raises(UsageError, match="--side all and --split-file"):
        ValConfig(model, side="all", split_file=split)
    with pytest.raises(UsageError, match="--excluded goes with --dataset-path"):
        ValConfig(model, excluded=split)
