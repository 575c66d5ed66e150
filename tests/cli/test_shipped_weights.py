"""The weights that ship in the package serve every command that takes a model file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.packed_models import pack_random
from wristseg import packed_file
from wristseg.artifacts import sha256_of
from wristseg.cli.export import main as export
from wristseg.cli.info import main as info
from wristseg.cli.predict import main as predict
from wristseg.export import export as stage
from wristseg.images import read_mask
from wristseg.onnx_file import read_sealed
from wristseg.packed_file import read_packed
from wristseg.predict import SegmentationInference, Segmenter
from wristseg.predict.cache import exported_checkpoint


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tmp_path / "package" / "weights"
    pack_random(folder)
    monkeypatch.setattr(packed_file, "_FOLDER", folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_file, "_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def frame(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    return tmp_path / "frame.png"


def test_predict_needs_no_training(shipped, frame, tmp_path):
    options = ["--input", str(frame), "--output", str(tmp_path / "out"), "--save-mask"]
    assert predict(["--checkpoint", "sim-84", *options]) == 0
    assert read_mask(tmp_path / "out" / "frame_mask.png", num_classes=6).shape == (60, 80)
    said = json.loads((tmp_path / "out" / "frame_prediction.json").read_text())
    assert said["checkpoint_sha256"] == sha256_of(shipped / "sim-84.json")
    assert said["config"]["checkpoint"] == "sim-84"


def test_robot_code_loads_them_by_name(shipped):
    frame = np.zeros((48, 64, 3), np.uint8)
    assert Segmenter.load("sim", device="cpu").info.preprocess.size_hw == (240, 320)
    assert Segmenter.load("sim-84", device="cpu").info.preprocess.size_hw == (84, 84)
    assert SegmentationInference("sim-84", "cpu").predict(frame).shape == (48, 64)


def test_info_says_how_they_were_made(shipped, capsys):
    assert info(["sim", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["preprocess"]["size_hw"] == [240, 320]
    assert said["made_by"] == "the commands under made"
    assert said["made"]["seeds"] == [1, 2]
    assert said["tensors_sha256"] == read_packed(shipped / "sim-320.json").tensors_sha256
    assert info(["sim-84"]) == 0
    assert "figures" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["sim-84.json", "sim.safetensors"])
def test_a_flipped_bit_ends_every_command_with_3(shipped, frame, capsys, name):
    content = bytearray((shipped / name).read_bytes())
    content[len(content) // 2] ^= 1
    (shipped / name).write_bytes(content)
    assert info(["sim-84"]) == 3
    assert predict(["--checkpoint", "sim-84", "--input", str(frame)]) == 3
    assert export(["sim-84", "--frames", str(frame.parent)]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_build_without_them_says_so_and_ends_with_3(empty, frame, capsys):
    for command, options in ((info, []), (export, []), (predict, ["--input", str(frame)])):
        model = ["--checkpoint", "sim"] if command is predict else ["sim"]
        assert command([*model, *options]) == 3
        assert "this build ships no simulation weights" in capsys.readouterr().err


@pytest.mark.slow
def test_export_lands_in_the_current_folder_not_in_the_package(
    shipped, frame, tmp_path, monkeypatch
):
    monkeypatch.setattr(stage, "_TIMED_S", 0.0)
    (tmp_path / "frames").mkdir()
    frame.rename(tmp_path / "frames" / "frame.png")
    assert export(["sim-84", "--frames", "frames", "--size", "model"]) == 0
    assert read_sealed(tmp_path / "sim-84_84x84.onnx")[1].preprocess.size_hw == (84, 84)
    assert sorted(path.suffix for path in shipped.iterdir()) == [
        ".json",
        ".json",
        ".json",
        ".safetensors",
    ]


@pytest.mark.slow
def test_the_cache_keeps_their_export_and_asks_for_whole_files_all_the_same(
    shipped, tmp_path, monkeypatch
):
    monkeypatch.setenv("WRISTSEG_CACHE", str(tmp_path / "cache"))
    first = Segmenter.load("sim-84", device="cpu", runtime="onnxruntime")
    assert first.runtime == "onnxruntime"
    (kept,) = (tmp_path / "cache" / "exports").iterdir()
    assert exported_checkpoint(shipped / "sim-84.json")[0] == kept.read_bytes()
    (shipped / "sim.safetensors").write_bytes(b"")
    with pytest.raises(packed_file.CheckpointError, match="damaged"):
        Segmenter.load("sim-84", device="cpu", runtime="onnxruntime")
