"""Sizes and files of an export: what cannot work is said before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.configs import ExportConfig
from wristseg.errors import UsageError
from wristseg.export.frames import ComparedFrame, ComparedFrames
from wristseg.export.plan import plan_export
from wristseg.export.report import read_report
from wristseg.model_info import ExportInfo
from wristseg.modeling.checkpoint import read_checkpoint_info
from wristseg.onnx_file import seal
from wristseg.openvino_file import seal_ir


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    read = read_checkpoint_info(save_plain_checkpoint(path, randomised_network()))
    return replace(read, export=ExportInfo((480, 640), "rgb", "fp32", "0" * 64))


def frames_of(*sizes):
    frames = tuple(ComparedFrame("f", Path("f.jpg"), size) for size in sizes)
    return ComparedFrames("frames", frames, ())


def planned(info, folder, *sizes, **options):
    config = ExportConfig(folder / "best.ckpt", **options)
    return plan_export(config, frames_of(*(sizes or [(480, 640)])), info)


@pytest.mark.parametrize(
    ("size", "frame_hw"), [("camera", (480, 640)), ("model", (84, 84)), ("240x320", (240, 320))]
)
def test_size_is_the_cameras_the_models_or_given(info, tmp_path, size, frame_hw):
    assert planned(info, tmp_path, size=size).frame_hw == frame_hw


@pytest.mark.parametrize("size", ["480", "480X640", "480*640", "480x640x3", "-1x5", "", "48 x 64"])
def test_a_size_that_is_none_is_named(info, tmp_path, size):
    with pytest.raises(UsageError, match="expected HEIGHTxWIDTH such as 480x640") as error:
        planned(info, tmp_path, size=size)
    assert f"--size {size}:" in str(error.value)


@pytest.mark.parametrize("size", ["0x0", "8x640", "480x5000"])
def test_a_size_out_of_range_is_refused(info, tmp_path, size):
    with pytest.raises(UsageError, match="expected 16 to 4096 pixels a side"):
        planned(info, tmp_path, size=size)


def test_width_before_height_is_noticed(info, tmp_path):
    with pytest.raises(UsageError, match="did you mean --size 480x640"):
        planned(info, tmp_path, size="640x480")
    assert planned(info, tmp_path, (640, 480), size="640x480").frame_hw == (640, 480)


def test_frames_of_several_sizes_have_no_camera_size(info, tmp_path):
    with pytest.raises(UsageError, match=r"2 of 480x640, 1 of 48x64, h x w") as error:
        planned(info, tmp_path, (480, 640), (48, 64), (480, 640))
    assert "give the camera's" in str(error.value)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "best_480x640.onnx"),
        ({"precision": "int8", "size": "model"}, "best_84x84_int8.onnx"),
        ({"format": "openvino", "color": "bgr"}, "best_480x640_bgr.xml"),
    ],
)
def test_the_default_name_says_what_differs(info, tmp_path, options, name):
    assert planned(info, tmp_path, **options).model == tmp_path / name


def test_the_suffix_belongs_to_the_format(info, tmp_path):
    with pytest.raises(UsageError, match=r"a file of --format openvino ends with \.xml"):
        planned(info, tmp_path, format="openvino", output=tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("kind", "name"), [("onnx", "m.onnx"), ("openvino", "m.xml"), ("openvino", "m.bin")]
)
def test_a_file_of_others_is_replaced_only_on_request(info, tmp_path, kind, name):
    (tmp_path / name).write_bytes(b"of another program")
    output = tmp_path / ("m.onnx" if kind == "onnx" else "m.xml")
    with pytest.raises(UsageError, match="replace it with --overwrite"):
        planned(info, tmp_path, format=kind, output=output)
    assert planned(info, tmp_path, format=kind, output=output, overwrite=True).model == output


def test_an_earlier_export_is_replaced(info, tmp_path):
    (tmp_path / "m.onnx").write_bytes(seal(b"", info))
    assert planned(info, tmp_path, output=tmp_path / "m.onnx").model.name == "m.onnx"


def test_a_folder_is_no_output(info, tmp_path):
    (tmp_path / "m.xml").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        planned(info, tmp_path, format="openvino", output=tmp_path / "m.xml", overwrite=True)


def test_a_report_of_others_is_not_written_into(tmp_path):
    path = tmp_path / "export_report.json"
    assert read_report(path) == {}
    for content in ("{", "[]", '{"exports": []}', "{}"):
        path.write_text(content)
        with pytest.raises(UsageError, match="is no report of wristseg export"):
            read_report(path)


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(UsageError, match="--dataset-path and --frames"):
        ExportConfig(Path("best.ckpt"), dataset_path=Path("a"), frames=Path("b"))


def test_sealed_xml_is_told_from_any_other(info, tmp_path):
    (tmp_path / "m.xml").write_bytes(seal_ir(b"<net/>", b"weights"))
    (tmp_path / "m.bin").write_bytes(b"other weights")
    with pytest.raises(UsageError, match=r"m\.bin is of another export"):
        planned(info, tmp_path, format="openvino", output=tmp_path / "m.xml")
