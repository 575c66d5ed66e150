"""Golden files: what they hold, that drift is found, and that damage is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts import contracts, few
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.policy import MaskEncoder, ObservationContract
from wristseg.policy.golden import Golden, read_golden, write_golden
from wristseg.policy.stages import AFTER_MASK, STAGES, stages_of_masks

_MASKS = list(np.random.default_rng(0).integers(0, 6, (4, 24, 32), np.uint8))


def golden(contract=None):
    encoder = MaskEncoder(contract or ObservationContract(size_hw=(8, 8)), DEFAULT_CLASSES)
    frames = np.zeros((4, 24, 32, 3), np.uint8)
    stages = {"frame": frames, "mask": np.stack(_MASKS), **stages_of_masks(_MASKS, encoder)}
    return Golden(encoder.contract, DEFAULT_CLASSES.names, "ab" * 32, stages), encoder


def test_file_gives_back_what_was_written(tmp_path):
    written, _ = golden()
    write_golden(tmp_path / "g.npz", written)
    read = read_golden(tmp_path / "g.npz")
    assert (read.contract, read.class_names) == (written.contract, written.class_names)
    for name in STAGES:
        np.testing.assert_array_equal(read.stages[name], written.stages[name])


def test_another_program_reads_it_with_numpy_and_json_alone(tmp_path):
    write_golden(tmp_path / "g.npz", golden()[0])
    with np.load(tmp_path / "g.npz", allow_pickle=False) as file:
        about = json.loads(bytes(file["about"]))
        observation, channels = file["observation"], file["channels"]
    assert about["contract"]["stack_order"] == "oldest-first"
    assert observation.shape == (4, 3, 1, 8, 8)
    # The newest frame of each observation is the frame itself; the first fills the stack.
    np.testing.assert_array_equal(observation[3], channels[1:4])
    np.testing.assert_array_equal(observation[0, 0], observation[0, 2])


@few
@given(contract=contracts())
def test_same_contract_does_not_drift(contract):
    written, encoder = golden(contract)
    assert written.drift_from(encoder) == []


@pytest.mark.parametrize(
    "change",
    [
        {"stack": 2},
        {"size_hw": (8, 9)},
        {"crop": "center-square"},
        {"channels": "one-hot"},
        {"range": "spread"},
        {"class_map": {name: max(i - 1, 0) for i, name in enumerate(DEFAULT_CLASSES.names)}},
    ],
)
def test_every_change_of_the_contract_is_drift(change):
    written, encoder = golden()
    changed = MaskEncoder(replace(encoder.contract, **change), DEFAULT_CLASSES)
    assert f"contract: {next(iter(change))} is" in written.drift_from(changed)[0]


def test_color_order_of_a_camera_is_no_drift():
    written, encoder = golden()
    bgr = MaskEncoder(replace(encoder.contract, color_order="bgr"), DEFAULT_CLASSES)
    assert written.drift_from(bgr) == []


@few
@given(stage=st.sampled_from(AFTER_MASK), where=st.integers(0, 10**6))
def test_one_changed_byte_behind_the_mask_is_drift(stage, where):
    written, encoder = golden()
    array = written.stages[stage].copy()
    array.flat[where % array.size] ^= 1
    changed = replace(written, stages={**written.stages, stage: array})
    (found,) = changed.drift_from(encoder)
    assert found.startswith(f"{stage}: 1 of {array.size} bytes differ")


def test_other_classes_are_drift_even_if_there_are_as_many():
    written, encoder = golden()
    turned = replace(written, class_names=written.class_names[::-1])
    assert "classes: the model's and the golden file's differ" in turned.drift_from(encoder)[0]


def test_files_that_are_none_are_refused(tmp_path):
    path = tmp_path / "g.npz"
    with pytest.raises(DataError, match="no such file; write one with --write-golden"):
        read_golden(path)
    path.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(DataError, match="is no whole"):
        read_golden(path)
    np.savez(path, mask=np.zeros(3))
    with pytest.raises(DataError, match="is no golden file of wristseg obs-check"):
        read_golden(path)
    np.savez(path, about=np.array([{}], object))
    with pytest.raises(DataError, match="is no whole"):
        read_golden(path)


def test_cut_file_is_refused_at_every_length(tmp_path):
    path = tmp_path / "g.npz"
    write_golden(path, golden()[0])
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 20).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_golden(path)


def test_arrays_of_the_wrong_kind_are_listed(tmp_path):
    written, _ = golden()
    stages = {**written.stages, "mask": written.stages["mask"].astype(np.int64)}
    write_golden(tmp_path / "g.npz", replace(written, stages=stages))
    with pytest.raises(DataError, match=r"mask is \(4, 24, 32\) int64"):
        read_golden(tmp_path / "g.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda stages: {"mask": stages["mask"] + 6}, "mask has class 11, and there are 6 classes"),
        (lambda stages: {"mask": stages["mask"][:, :9]}, r"frame is \(4, 24, 32, 3\)"),
        (
            lambda stages: {"frame": stages["frame"][..., :1]},
            r"frame is \(4, 24, 32, 1\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path, change, message):
    written, _ = golden()
    stages = {**written.stages, **change(written.stages)}
    write_golden(tmp_path / "g.npz", replace(written, stages=stages))
    with pytest.raises(DataError, match=message):
        read_golden(tmp_path / "g.npz")
