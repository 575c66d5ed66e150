"""Sealed OpenVINO files: what was written comes back, and nothing that was changed does."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import CheckpointError
from wristseg.model_info import ExportInfo, ModelInfo
from wristseg.openvino_file import INFO_KEY, read_sealed_ir, seal_ir
from wristseg.preprocess import PreprocessContract

INFO = ModelInfo(
    path=Path("model.xml"),
    legacy=False,
    classes=DEFAULT_CLASSES,
    preprocess=PreprocessContract((84, 84)),
    num_parameters=846838,
    config={"dataset_path": 'a "quoted" <path> & more'},
    export=ExportInfo((480, 640), "rgb", "fp32", "ab" * 32),
)
WEIGHTS = bytes(range(256))


def write_pair(folder, *, said=None):
    text = html.escape(json.dumps(INFO.to_dict()) if said is None else said)
    xml = f'<net><rt_info><{INFO_KEY} value="{text}" /></rt_info></net>'.encode()
    path = folder / "model.xml"
    path.write_bytes(seal_ir(xml, WEIGHTS))
    path.with_suffix(".bin").write_bytes(WEIGHTS)
    return path


def test_what_was_written_comes_back(tmp_path):
    path = write_pair(tmp_path)
    xml, weights, info = read_sealed_ir(path)
    assert (xml, weights) == (path.read_bytes(), WEIGHTS)
    assert info.to_dict() == INFO.to_dict()


@pytest.mark.tried(100)
def test_f14_a_flipped_bit_is_found(tmp_path):
    path = write_pair(tmp_path)
    rng = np.random.default_rng(0)
    for file in (path, path.with_suffix(".bin")):
        whole = file.read_bytes()
        for at in rng.choice(len(whole), 50, replace=False):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << rng.integers(8)
            file.write_bytes(damaged)
            with pytest.raises(CheckpointError):
                read_sealed_ir(path)
        file.write_bytes(whole)
    read_sealed_ir(path)


def test_weights_of_another_export_are_found(tmp_path):
    path = write_pair(tmp_path)
    path.with_suffix(".bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(CheckpointError, match=r"model\.bin is of another export"):
        read_sealed_ir(path)


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_missing_half_is_named(tmp_path, suffix):
    path = write_pair(tmp_path)
    path.with_suffix(suffix).unlink()
    with pytest.raises(CheckpointError, match=rf"model\{suffix}: no such file.*pair"):
        read_sealed_ir(path)


def test_files_of_other_programs_are_refused(tmp_path):
    path = write_pair(tmp_path)
    path.write_bytes(b"<net></net>")
    with pytest.raises(CheckpointError, match="no file of wristseg export"):
        read_sealed_ir(path)


@pytest.mark.parametrize("said", ["", "{", "[]", "{}", "[" * 100_000])
def test_a_record_that_makes_no_sense_is_refused(tmp_path, said):
    with pytest.raises(CheckpointError):
        read_sealed_ir(write_pair(tmp_path, said=said))
