"""Packed models are read whole or not at all, and shipped ones go by their names."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tests.packed_models import MADE, pack_random
from wristseg import packed_file
from wristseg.errors import CheckpointError
from wristseg.packed_file import (
    SHIPPED_MODELS,
    is_shipped,
    model_path,
    read_packed,
    shipped_for,
    shipped_weights,
)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "weights"
    pack_random(folder)
    return folder


@pytest.fixture
def packed(made_once, tmp_path):
    return shutil.copytree(made_once, tmp_path / "weights")


def test_all_records_share_one_file_of_tensors(packed):
    assert sorted(path.name for path in packed.iterdir()) == [
        "sim-320.json",
        "sim-640.json",
        "sim-84.json",
        "sim.safetensors",
    ]
    for name, size_hw in SHIPPED_MODELS.items():
        read = read_packed(packed / f"{name}.json")
        assert read.info.preprocess.size_hw == size_hw
        assert read.info.path == packed / f"{name}.json"
        assert {key: read.made[key] for key in MADE} == MADE
        assert len(read.made["checkpoint_sha256"]) == 64


@pytest.mark.tried(100)
@pytest.mark.parametrize("name", ["sim-84.json", "sim.safetensors"])
def test_f14_every_flipped_bit_is_found(packed, name):
    whole = (packed / name).read_bytes()
    for at in np.random.default_rng(0).integers(8 * len(whole), size=100):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << (at % 8)
        (packed / name).write_bytes(damaged)
        try:
            read = read_packed(packed / "sim-84.json")
        except CheckpointError:
            continue
        # Only the layout of the text may change unnoticed: a blank for another control character.
        (packed / name).write_bytes(whole)
        assert name.endswith(".json")
        assert read == read_packed(packed / "sim-84.json")


def test_cut_files_are_refused(packed):
    whole = (packed / "sim.safetensors").read_bytes()
    for size in (0, 8, len(whole) // 2, len(whole) - 1):
        (packed / "sim.safetensors").write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="damaged, or of another model"):
            read_packed(packed / "sim-84.json")
    (packed / "sim.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        read_packed(packed / "sim-84.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "[" * 100_000, "\x00"])
def test_other_json_is_no_packed_model(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(CheckpointError, match="no record of a packed model"):
        read_packed(tmp_path / "m.json")


@pytest.mark.parametrize("name", ["../sim.safetensors", "/etc/passwd", "sim.ckpt", "", 3, None])
def test_tensors_lie_beside_the_record_and_nowhere_else(packed, name):
    said = json.loads((packed / "sim-84.json").read_text())
    said["tensors"]["file"] = name
    del said["sha256"]
    said["sha256"] = packed_file._digest(said)
    (packed / "sim-84.json").write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match="expected a file beside it"):
        read_packed(packed / "sim-84.json")


def test_a_record_of_a_later_format_says_so(packed):
    said = json.loads((packed / "sim-84.json").read_text()) | {"format_version": 2}
    (packed / "sim-84.json").write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match="format version 2, this version of wristseg reads 1"):
        read_packed(packed / "sim-84.json")


def test_names_lead_to_shipped_models_and_sim_is_the_one_for_new_looks(packed, monkeypatch):
    monkeypatch.setattr(packed_file, "_FOLDER", packed)
    assert model_path("sim") == model_path("sim-320") == packed / "sim-320.json"
    assert model_path("sim-84") == shipped_weights("sim-84") == packed / "sim-84.json"
    assert is_shipped(model_path("sim"))
    assert not is_shipped(packed.parent / "best.ckpt")


def test_a_build_without_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_file, "_FOLDER", tmp_path)
    assert shipped_weights("sim") is None
    with pytest.raises(CheckpointError, match="sim: this build ships no simulation weights"):
        model_path("sim")


def test_paths_are_left_alone(tmp_path):
    for name in ("best.ckpt", "outputs/sim/best.ckpt", "sim.ckpt", tmp_path / "sim"):
        assert str(model_path(name)) == str(name)


@pytest.mark.parametrize(
    ("size_hw", "name"),
    [((84, 84), "sim-84"), ((96, 96), "sim-84"), ((480, 640), "sim-640"), ((240, 320), "sim-320")],
)
def test_training_starts_from_the_set_of_the_nearest_size(size_hw, name):
    assert shipped_for(size_hw) == name


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_what_this_build_ships_is_whole_and_says_how_it_was_made(name):
    path = shipped_weights(name)
    assert path is not None
    packed = read_packed(path)
    assert packed.info.preprocess.size_hw == SHIPPED_MODELS[name]
    assert {"commands", "seeds", "figures", "checkpoint_sha256"} <= set(packed.made)


def test_all_that_this_build_ships_takes_at_most_two_megabytes():
    files = [path for path in packed_file._FOLDER.iterdir() if path.suffix != ".md"]
    assert len(files) == len(SHIPPED_MODELS) + 1
    assert sum(path.stat().st_size for path in files) <= 2_000_000
