"""Two models on the same frames: what differs, by how much, and whether that is more than noise."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.evaluate import compare as stage
from wristseg.evaluate.compare import Difference, compare
from wristseg.evaluate.config import CompareConfig
from wristseg.predict import Segmenter
from wristseg.preprocess import PreprocessContract

from .test_frames import scripted_segmenter


@pytest.fixture
def labels(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


class Oracle:
    """Answers with what ``answer`` makes of the label of the frame it is given."""

    runtime, device, color_order, frame_hw = "scripted", "cpu", "rgb", None

    def __init__(self, labels, answer, contract):
        self.answers = {
            contract.resize_frame(labels.image(frame)).tobytes(): answer(labels.mask(frame), i)
            for i, frame in enumerate(labels.frames)
        }

    def class_ids(self, batch):
        return np.stack([self.answers[image.tobytes()] for image in batch])


@pytest.fixture
def load(monkeypatch, labels, coco_dataset, tmp_path):
    """Let two model files answer as the test says; returns the config that compares them."""

    def arrange(answer_a, answer_b, **changes_b):
        stems = [frame.stem for frame in labels.frames]
        info = dataclasses.replace(
            scripted_segmenter([], (48, 64), val=stems[2:], train=stems[:2]).info,
            config={"dataset_path": str(coco_dataset)},
            dataset_sha256=labels.sha256,
        )
        paths = []
        models = {}
        for name, answer, changes in (("a", answer_a, {}), ("b", answer_b, changes_b)):
            path = tmp_path / f"{name}.ckpt"
            path.write_bytes(name.encode())
            said = dataclasses.replace(info, path=path, **changes)
            models[path] = Segmenter(Oracle(labels, answer, said.preprocess), said)
            paths.append(path)
        monkeypatch.setattr(stage.Segmenter, "load", lambda path, **_: models[path])
        return CompareConfig(*paths)

    return arrange


def truth(mask, _i):
    return mask


def all_table(mask, _i):
    return np.full_like(mask, 2)


def by_name(found):
    return {difference.name: difference for difference in found.differences}


def test_a_model_does_not_differ_from_itself(load):
    found = compare(load(truth, truth))
    assert {difference.verdict for difference in found.differences} <= {
        "within noise",
        "not defined",
    }
    assert all(change.a == change.b for change in found.frames)


def test_better_model_is_named_and_less_is_better_for_errors(load):
    found = by_name(compare(load(all_table, truth)))
    assert found["miou_named"].verdict == "B is better"
    assert found["object/found"].verdict == "B is better"
    swapped = by_name(compare(load(truth, all_table)))
    assert swapped["miou_named"].verdict == "A is better"
    assert Difference("object/false", 0.2, 0.1, (-0.15, -0.05), 9).verdict == "B is better"
    assert Difference("object/false", 0.1, 0.2, (0.05, 0.15), 9).verdict == "A is better"
    assert Difference("miou", 0.1, 0.2, (-0.05, 0.15), 9).verdict == "within noise"


def test_difference_in_one_recording_only_is_noise(load, labels):
    recordings = [frame.recording for frame in labels.frames]

    def mixed(mask, i):
        return mask if recordings[i] == "demo0" else all_table(mask, i)

    difference = by_name(compare(load(mixed, truth)))["object/found"]
    assert difference.b > difference.a
    assert difference.verdict == "within noise"


def test_frames_that_changed_most_come_first_and_on_the_page(load, labels, tmp_path):
    config = load(lambda mask, i: all_table(mask, i) if i == 4 else mask, truth)
    found = compare(dataclasses.replace(config, output=tmp_path / "page"))
    assert found.frames[0].stem == labels.frames[4].stem
    page = found.page.read_text(encoding="utf-8")
    assert page.count("<figure>") == 1
    assert labels.frames[4].stem in page
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', page))
    record = json.loads((tmp_path / "page" / "compare.json").read_text(encoding="utf-8"))
    assert record["frames"][0]["stem"] == labels.frames[4].stem
    assert {row["n"] for row in record["differences"] if row["figure"] == "miou"} == {4}


def test_other_validation_frames_are_refused(load, labels):
    stems = [frame.stem for frame in labels.frames]
    config = load(truth, truth, split={"train": stems[3:], "val": stems[:3]})
    with pytest.raises(DataError, match=r"other val frames: 3 only of .*a.ckpt.*2 only of .*b"):
        compare(config)
    found = compare(dataclasses.replace(config, side="all"))
    assert found.said[0].startswith("A: Measured on 6 frames, 2 of which the model was trained on")


def test_other_labels_are_refused_unless_a_data_set_is_named(load, coco_dataset):
    config = load(truth, truth, dataset_sha256="ab" * 32)
    with pytest.raises(DataError, match=r"trained on other labels or images than .*a.ckpt"):
        compare(config)
    assert compare(dataclasses.replace(config, dataset_path=coco_dataset)).differences


def test_models_that_see_other_pixels_are_refused(load):
    config = load(truth, truth, preprocess=PreprocessContract((48, 64), "center-square"))
    with pytest.raises(DataError, match="see different parts of a frame"):
        compare(config)


def test_models_of_other_sizes_are_compared_at_the_frame_s_size(load):
    smaller = PreprocessContract((24, 32))
    found = compare(load(truth, lambda mask, _: mask[::2, ::2], preprocess=smaller))
    assert not [d.name for d in found.differences if d.name.startswith("val/")]
    assert by_name(found)["miou"].a == 1.0


def test_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"holds no best\.ckpt; give a run folder"):
        compare(CompareConfig(tmp_path, tmp_path))
