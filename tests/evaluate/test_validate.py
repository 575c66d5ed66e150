"""``wristseg val``: page, figures and exit codes, on checkpoints and on exports without PyTorch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.datasets import make_coco_dataset
from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network
from wristseg.cli.val import main
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.metrics import confusion_matrix, mean_iou
from wristseg.modeling.onnx_export import export_checkpoint
from wristseg.predict import Segmenter
from wristseg.preprocess import PreprocessContract

SIZE_HW = (32, 48)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_coco_dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, dataset):
    labels = load_labels(DatasetPaths(dataset))
    stems = [frame.stem for frame in labels.frames]
    return save_own_checkpoint(
        tmp_path_factory.mktemp("run") / "best.ckpt",
        randomised_network(),
        preprocess=PreprocessContract(SIZE_HW).to_dict(),
        dataset_sha256=labels.sha256,
        split={"train": stems[:3], "val": stems[3:]},
        config={"dataset_path": str(dataset)},
    )


def metrics_in(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_figures_are_those_of_the_model_s_masks(checkpoint, dataset, tmp_path, capsys):
    assert main([str(checkpoint), "--output", str(tmp_path)]) == 0
    labels, segmenter = load_labels(DatasetPaths(dataset)), Segmenter.load(checkpoint)
    frames = labels.frames[3:]
    pooled = sum(
        confusion_matrix(segmenter.predict_rgb(labels.image(f)), labels.mask(f), 6) for f in frames
    )
    found = metrics_in(tmp_path)
    assert found["figures"]["miou"]["value"] == mean_iou(pooled)
    assert found["confusion_matrix"]["frame"] == pooled.tolist()
    assert (found["side"], found["frames"], found["figures"]["miou"]["n"]) == ("val", 3, 3)
    assert [frame["stem"] for frame in found["per_frame"]] == [frame.stem for frame in frames]
    out = capsys.readouterr().out
    assert f"report: {tmp_path / 'report.html'}" in out
    assert "3 validation frames that training did not see" in out


def test_page_stands_alone(checkpoint, tmp_path):
    assert main([str(checkpoint), "--output", str(tmp_path), "--robustness"]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', page))
    assert "http" not in page
    for heading in ("Worst frames", "Robustness: IoU of cube", "Confusion", "Corruptions at"):
        assert heading in page
    cells = metrics_in(tmp_path)["robustness"]
    assert len(cells) == 8 * 6
    assert all(cell["miou_named"]["n"] == 3 for cell in cells)


def test_exact_masks_take_the_place_of_outlines(checkpoint, dataset, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    labels, segmenter = load_labels(DatasetPaths(dataset)), Segmenter.load(checkpoint)
    for frame in labels.frames:
        predicted = segmenter.predict_rgb(labels.image(frame))
        Image.fromarray(predicted).save(masks / f"{frame.stem}.png")
    assert main([str(checkpoint), "--masks-dir", str(masks), "--output", str(tmp_path)]) == 0
    found = metrics_in(tmp_path)
    assert found["figures"]["miou"]["value"] == 1.0
    assert "Labels or images differ from those of the training" in found["said"]


def test_wrong_options_end_with_2_and_wrong_data_with_3(checkpoint, dataset, tmp_path, capsys):
    place = ["--output", str(tmp_path / "out")]
    assert main([str(checkpoint), "--object-class", "cup", *place]) == 2
    assert "--object-class cup" in capsys.readouterr().err
    assert main([str(checkpoint), "--side", "all", "--split-file", "x.json", *place]) == 2
    (tmp_path / "split.json").write_text('{"train": [], "val": ["nobody"]}')
    assert main([str(checkpoint), "--split-file", str(tmp_path / "split.json"), *place]) == 3
    error = capsys.readouterr().err
    assert "lists 1 frames, the data set has 6" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("frame_hw", [None, (48, 64)])
def test_an_export_is_measured_without_pytorch(checkpoint, dataset, tmp_path, frame_hw):
    exported = tmp_path / "best.onnx"
    exported.write_bytes(export_checkpoint(checkpoint, frame_hw=frame_hw))
    code = (
        "import sys; from wristseg.cli.val import main;"
        "done = main(sys.argv[1:]); print([m for m in ('torch', 'lightning') if m in sys.modules]);"
        "sys.exit(done)"
    )
    command = [sys.executable, "-c", code, str(exported), "--output", str(tmp_path)]
    environment = {**os.environ, "WRISTSEG_RUNTIME": "onnxruntime"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    main([str(checkpoint), "--output", str(tmp_path / "torch")])
    values = [
        metrics_in(folder)["figures"]["val/iou"]["value"]
        for folder in (tmp_path, tmp_path / "torch")
    ]
    np.testing.assert_allclose(*values, atol=0.01)
