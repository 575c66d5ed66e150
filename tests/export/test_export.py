"""The export stage: what is kept equals the checkpoint, what does not is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.datasets import make_coco_dataset
from tests.export.conftest import SIZE_HW
from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.artifacts import sha256_of
from wristseg.configs import ExportConfig
from wristseg.errors import CheckpointError, DataError, UsageError
from wristseg.export.export import export
from wristseg.export.parity import latencies_ms
from wristseg.images import read_image_rgb
from wristseg.modeling import onnx_export
from wristseg.modeling.checkpoint import read_checkpoint_info
from wristseg.observation import ObservationContract
from wristseg.onnx_file import read_sealed
from wristseg.predict import Segmenter
from wristseg.preprocess import PreprocessContract

NAMES = {"onnx": {"best_48x64.onnx"}, "openvino": {"best_48x64.xml", "best_48x64.bin"}}


def files_in(folder):
    return {path.name for path in folder.iterdir()}


def report_in(folder):
    return json.loads((folder / "export_report.json").read_text())["exports"]


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_an_export_gives_the_masks_of_its_checkpoint(quick, run_folder, dataset, kind):
    summary = export(ExportConfig(run_folder / "best.ckpt", format=kind))
    made = {"best.ckpt", "export_report.json"} | NAMES[kind]
    assert made <= files_in(run_folder) <= made | {"best_48x64_worst_frame.png"}
    loaded = Segmenter.load(summary.outputs[0], runtime="auto")
    torch = Segmenter.load(run_folder / "best.ckpt", runtime="torch")
    for path in sorted((dataset / "images/default").iterdir()):
        frame = read_image_rgb(path)
        expected = torch.predict_rgb(frame)
        assert len(np.unique(expected)) >= 3
        assert (loaded.predict_rgb(frame) == expected).mean() >= 0.999


def test_the_report_says_how_they_compare(quick, run_folder):
    summary = export(ExportConfig(run_folder / "best.ckpt"))
    entry = report_in(run_folder)["best_48x64.onnx"]
    assert entry == json.loads(json.dumps(summary.report))
    assert entry["pixel_agreement"] >= 0.999
    assert entry["frames"] == "3 validation frames"
    assert entry["worst_frame"]["name"].startswith("demo")
    assert set(entry["class_iou"]) >= {"unlabeled", "cube"}
    assert entry["val_iou"]["change"] == pytest.approx(
        entry["val_iou"]["export"] - entry["val_iou"]["checkpoint"]
    )
    assert set(entry["latency_ms"]) == {"export", "checkpoint in PyTorch"}
    assert set(entry["latency_ms"]["export"]) == {"p50", "p95", "p99", "frames"}
    file = run_folder / "best_48x64.onnx"
    assert entry["files"][file.name] == {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
    assert entry["checkpoint_sha256"] == sha256_of(run_folder / "best.ckpt")
    assert {"wristseg", "onnxruntime", "openvino"} <= set(entry["versions"])


def test_the_file_carries_what_the_checkpoint_says(quick, run_folder):
    # The session's graph takes RGB: here only what is said about it matters.
    export(ExportConfig(run_folder / "best.ckpt", color="bgr", allow_loss=True))
    info = read_sealed(run_folder / "best_48x64_bgr.onnx")[1]
    said = read_checkpoint_info(run_folder / "best.ckpt")
    assert (info.classes, info.preprocess, info.split) == (
        said.classes,
        said.preprocess,
        said.split,
    )
    assert info.export is not None
    assert (info.export.frame_hw, info.export.color_order) == (SIZE_HW, "bgr")
    assert info.export.checkpoint_sha256 == sha256_of(run_folder / "best.ckpt")


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_spoilt_graph_is_refused_and_nothing_is_left(
    quick, run_folder, monkeypatch, spoilt, kind
):
    monkeypatch.setattr(onnx_export, "build_onnx", lambda *_args, **_options: spoilt)
    with pytest.raises(CheckpointError, match=r"not written, the fp32 export falls short") as error:
        export(ExportConfig(run_folder / "best.ckpt", format=kind))
    assert "of pixels have the checkpoint's class, expected 99.9%" in str(error.value)
    assert "val/iou is" in str(error.value)
    assert files_in(run_folder) == {"best.ckpt"}


def test_a_refused_export_leaves_the_earlier_one_alone(quick, run_folder, monkeypatch, spoilt):
    export(ExportConfig(run_folder / "best.ckpt"))
    before = {name: sha256_of(run_folder / name) for name in files_in(run_folder)}
    monkeypatch.setattr(onnx_export, "build_onnx", lambda *_args, **_options: spoilt)
    with pytest.raises(CheckpointError):
        export(ExportConfig(run_folder / "best.ckpt"))
    assert {name: sha256_of(run_folder / name) for name in files_in(run_folder)} == before


def test_what_is_kept_in_spite_of_loss_says_so_and_shows_it(quick, run_folder, monkeypatch, spoilt):
    monkeypatch.setattr(onnx_export, "build_onnx", lambda *_args, **_options: spoilt)
    summary = export(ExportConfig(run_folder / "best.ckpt", allow_loss=True))
    assert len(summary.report["kept_in_spite_of"]) == 2
    assert summary.report["worst_frame"]["picture"] == "best_48x64_worst_frame.png"
    with Image.open(run_folder / "best_48x64_worst_frame.png") as picture:
        assert picture.size == (4 * 64, 48)  # frame, checkpoint, export, difference
        difference = np.asarray(picture)[:, 3 * 64 :]
    differing = (difference == 255).all(axis=2).mean()
    assert differing == pytest.approx(1 - summary.report["worst_frame"]["pixel_agreement"])


def test_int8_that_loses_is_refused_with_its_figures(quick, run_folder, capsys):
    with pytest.raises(CheckpointError, match=r"the int8 export falls short") as error:
        export(ExportConfig(run_folder / "best.ckpt", precision="int8"))
    assert "best_48x64_int8.onnx: not written" in str(error.value)
    assert "expected 99.0%" in str(error.value)
    assert "--precision fp32, or keep it all the same with --allow-loss" in str(error.value)
    assert "calibrating int8 on 5 frames" in capsys.readouterr().err  # those of the training
    assert files_in(run_folder) == {"best.ckpt"}


def test_reports_of_one_folder_lie_in_one_file_until_the_export_is_gone(quick, run_folder):
    checkpoint = run_folder / "best.ckpt"
    export(ExportConfig(checkpoint))
    export(ExportConfig(checkpoint, precision="fp16", allow_loss=True))
    assert set(report_in(run_folder)) == {"best_48x64.onnx", "best_48x64_fp16.onnx"}
    (run_folder / "best_48x64.onnx").unlink()
    export(ExportConfig(checkpoint, format="openvino"))
    assert set(report_in(run_folder)) == {"best_48x64_fp16.onnx", "best_48x64.xml"}


def test_a_checkpoint_of_the_plain_script_is_compared_on_images(quick, tmp_path, dataset):
    checkpoint = save_plain_checkpoint(tmp_path / "old.ckpt", randomised_network(), size_hw=SIZE_HW)
    summary = export(ExportConfig(checkpoint, frames=dataset / "images"))
    assert summary.report["frames"] == f"8 images of {dataset / 'images'}"
    assert (summary.report["val_iou"], summary.report["class_iou"]) == (None, {})
    summary = export(ExportConfig(checkpoint, dataset_path=dataset))
    assert summary.report["frames"] == "8 labelled frames"
    assert summary.report["val_iou"] is not None


def test_without_frames_nothing_is_exported(tmp_path, checkpoint_of):
    plain = save_plain_checkpoint(tmp_path / "old.ckpt", randomised_network())
    with pytest.raises(UsageError, match="does not say what it was trained on"):
        export(ExportConfig(plain))
    moved = checkpoint_of(config={"dataset_path": "no/such/data"})
    with pytest.raises(UsageError, match="was trained on no/such/data, which is not here"):
        export(ExportConfig(moved))
    with pytest.raises(UsageError, match="holds no image"):
        export(ExportConfig(moved, frames=tmp_path))


def test_another_data_set_is_told_by_its_missing_frames(tmp_path, checkpoint_of):
    other = make_coco_dataset(tmp_path / "other", frames=6, names=list("abcdef"))
    with pytest.raises(DataError, match=r"3 of 3 validation frames .* not in this data set"):
        export(ExportConfig(checkpoint_of(), dataset_path=other))


def test_a_changed_data_set_is_a_warning(quick, tmp_path, checkpoint_of, capsys):
    summary = export(ExportConfig(checkpoint_of(tmp_path, dataset_sha256="ab" * 32)))
    assert "the data set has changed since the training" in summary.report["warnings"][0]
    assert "warning: " in capsys.readouterr().err


def test_latencies_are_measured_in_turns():
    calls = []
    contestants = {name: lambda frame, name=name: calls.append(name) or frame for name in "ab"}
    figures = latencies_ms(contestants, np.zeros((2, 2, 3), np.uint8), seconds=0.0)
    assert calls == ["a"] * 12 + ["b"] * 12
    assert figures["a"]["frames"] == 8
    assert 0 <= figures["b"]["p50"] <= figures["b"]["p95"] <= figures["b"]["p99"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_camera_with_crop_and_its_own_colour_order(tmp_path, checkpoint_of, kind):
    # 40x52 frames: the centred square is enlarged, and what it cuts off comes back as class 0.
    camera = make_coco_dataset(tmp_path / "camera", frames=8, size_hw=(40, 52))
    contract = PreprocessContract(SIZE_HW, "center-square")
    checkpoint = checkpoint_of(tmp_path, preprocess=contract.to_dict())
    # Random weights make much of a byte that the resize rounded the other way.
    config = ExportConfig(
        checkpoint, dataset_path=camera, format=kind, color="bgr", allow_loss=True
    )
    summary = export(config)
    assert summary.report["frame_hw"] == [40, 52]
    assert summary.report["pixel_agreement"] >= 0.99
    frame = read_image_rgb(next((camera / "images/default").iterdir()))
    loaded = Segmenter.load(summary.outputs[0], runtime="auto")
    mask = loaded.predict(np.ascontiguousarray(frame[..., ::-1]))
    np.testing.assert_array_equal(mask, loaded.predict_rgb(frame))
    assert not mask[:, :6].any()
    assert not mask[:, 46:].any()
    with pytest.raises(DataError, match="was exported for frames of 40x52"):
        loaded.predict(np.zeros((48, 64, 3), np.uint8))


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_an_export_carries_the_whole_contract_of_its_checkpoint(
    quick, tmp_path, checkpoint_of, kind
):
    checkpoint = checkpoint_of(tmp_path, observation={"stack": 2})
    summary = export(ExportConfig(checkpoint, format=kind))
    info = Segmenter.load(summary.outputs[0], runtime="auto").info
    assert info.observation_origin == "the file"
    assert info.observation_contract == ObservationContract(stack=2)


def test_an_older_checkpoint_is_exported_with_the_default_and_it_is_said(
    quick, tmp_path, checkpoint_of, capsys
):
    summary = export(ExportConfig(checkpoint_of(tmp_path, observation=None)))
    assert read_sealed(summary.outputs[0])[1].observation_contract == ObservationContract()
    assert "says nothing of what a policy sees; the export gets the default" in (
        capsys.readouterr().err
    )


def test_an_export_may_be_given_another_contract(quick, run_folder):
    file = run_folder / "contract.yaml"
    file.write_text("stack: 4\nchannels: one-hot\n")
    summary = export(ExportConfig(run_folder / "best.ckpt", observation=file))
    contract = read_sealed(summary.outputs[0])[1].observation_contract
    assert (contract.stack, contract.channels) == (4, "one-hot")


def test_a_contract_that_does_not_fit_leaves_no_export(quick, run_folder):
    file = run_folder / "contract.yaml"
    file.write_text("class_map: {cube: 1}\n")
    with pytest.raises(DataError, match="class_map lacks unlabeled"):
        export(ExportConfig(run_folder / "best.ckpt", observation=file))
    assert files_in(run_folder) == {"best.ckpt", "contract.yaml"}
