"""Sealed ONNX files: what was written comes back, and nothing that was changed does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import CheckpointError
from wristseg.model_info import ExportInfo, ModelInfo
from wristseg.onnx_file import parse_sealed, read_sealed, seal
from wristseg.preprocess import PreprocessContract

INFO = ModelInfo(
    path=Path("model.onnx"),
    legacy=False,
    classes=DEFAULT_CLASSES,
    preprocess=PreprocessContract((84, 84), "center-square"),
    num_parameters=846838,
    split={"train": ["a.jpg"], "val": ["ü.jpg"]},
    metrics={"val/iou": 0.8},
    export=ExportInfo((480, 640), "bgr", "fp32", "ab" * 32),
)


def small_model(**tensor):
    weights = onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32), "w")
    for name, value in tensor.items():
        setattr(weights, name, value)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [6])],
        [weights],
    )
    return helper.make_model(graph)


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(seal(small_model().SerializeToString(), INFO))
    return path


def test_what_was_sealed_is_read(sealed):
    content, info = read_sealed(sealed)
    assert content == sealed.read_bytes()
    assert info.to_dict() == INFO.to_dict()
    assert info.path == sealed


def test_a_sealed_file_is_an_onnx_model_with_its_entries(sealed):
    model = onnx.load(sealed)
    onnx.checker.check_model(model)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert set(entries) == {"wristseg", "wristseg.sha256"}
    assert '"ü.jpg"' in entries["wristseg"]


@pytest.mark.tried(200)
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
@settings(max_examples=200, deadline=None)
def test_f14_a_flipped_bit_is_found(place, bit):
    content = bytearray(seal(small_model().SerializeToString(), INFO))
    content[place % len(content)] ^= 1 << bit
    with pytest.raises(CheckpointError):
        parse_sealed(bytes(content), Path("model.onnx"))


def test_a_file_that_was_cut_is_refused(sealed):
    content = sealed.read_bytes()
    for length in range(0, len(content), 7):
        with pytest.raises(CheckpointError):
            parse_sealed(content[:length], sealed)


def test_a_model_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.onnx"
    onnx.save(small_model(), path)
    with pytest.raises(CheckpointError, match="no file of wristseg export"):
        read_sealed(path)


F21_PLACES = {
    "parent": "../secret.bin",
    "absolute": "{folder}/secret.bin",
    "symlink": "link.bin",
    "linked folder": "linked/secret.bin",
    "hard link": "hard.bin",
    "missing": "nothing.bin",
}


@pytest.fixture
def trapped(tmp_path):
    """A folder for a model, with links to a readable file of numbers outside of it."""
    secret, folder = tmp_path / "secret.bin", tmp_path / "model"
    secret.write_bytes(np.arange(6, dtype=np.float32).tobytes())
    folder.mkdir()
    (folder / "link.bin").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    (folder / "hard.bin").hardlink_to(secret)
    return folder


@pytest.mark.parametrize("case", F21_PLACES)
def test_f21_numbers_in_another_file_are_refused(trapped, case):
    model = small_model(data_location=TensorProto.EXTERNAL)
    place = F21_PLACES[case].format(folder=trapped.parent)
    model.graph.initializer[0].external_data.add(key="location", value=place)
    path = trapped / "model.onnx"
    path.write_bytes(seal(model.SerializeToString(), INFO))
    with pytest.raises(CheckpointError, match="lie in another file") as refused:
        read_sealed(path)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("length", [2**31, 2**63 - 1])
def test_a_field_that_runs_over_the_end_is_refused(length):
    encoded = bytearray([0x3A])  # the graph's tag
    while length >= 0x80:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    with pytest.raises(CheckpointError, match="runs over the end"):
        parse_sealed(seal(bytes(encoded), INFO), Path("model.onnx"))


def test_an_entry_of_a_later_version_is_refused():
    later = {**INFO.to_dict(), "temperature": 1.0}
    with pytest.raises(CheckpointError, match="missing or unknown: temperature"):
        ModelInfo.from_dict(later, path=Path("model.onnx"))
