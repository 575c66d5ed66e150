"""The report page: figures from the evaluation, pictures from the run, nothing from outside."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import av
import numpy as np
import pytest

from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.evaluate import report
from wristseg.evaluate.galleries import filmstrip
from wristseg.evaluate.report import ReportText, report_run
from wristseg.overlay import errors_rgb

from .test_frames import scripted_segmenter

TEXT = ReportText("A <b>run</b>", "Lead.", (("epochs", "3"),), (("Go on:", "wristseg info x"),))


@pytest.fixture
def labels(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("results.png", "confusion_matrix.png"):
        (folder / name).write_bytes(b"\x89PNG")
    (folder / "metrics.json").write_text('{"val/iou": 0.5}')
    return folder


def load_oracle(monkeypatch, labels, *, val, train=()):
    """Let the report load a model that answers with the labels of the first frame."""
    mask = labels.mask(labels.frames[0])
    segmenter = scripted_segmenter(itertools.repeat(mask), mask.shape, val=val, train=train)
    monkeypatch.setattr(report.Segmenter, "load", lambda path, **_: segmenter)


def test_page_shows_the_evaluation_of_the_validation_frames(monkeypatch, labels, run_dir):
    load_oracle(monkeypatch, labels, val=[labels.frames[0].stem])
    measured = report_run(run_dir, labels, text=TEXT)
    written = (run_dir / "report.html").read_text(encoding="utf-8")
    assert [result.frame for result in measured.evaluation.frames] == [labels.frames[0]]
    assert "A &lt;b&gt;run&lt;/b&gt;" in written
    assert "<b>1.000</b><span>mean IoU (val/iou)</span>" in written
    assert f"{labels.frames[0].stem} (default), IoU 1.000" in written
    assert "<b>1 of 1</b><span>cube found</span>" in written
    assert "http" not in written


def test_figures_join_those_of_the_training(monkeypatch, labels, run_dir):
    load_oracle(monkeypatch, labels, val=[labels.frames[0].stem])
    report_run(run_dir, labels, text=TEXT)
    metrics = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["val/iou"] == 0.5
    assert metrics["evaluation"]["figures"]["val/iou"]["value"] == 1.0
    assert metrics["evaluation"]["figures"]["val/iou"]["n"] == 1
    assert metrics["evaluation"]["interval"]["drawn"] == "frames"


def test_wrong_pixels_are_red_and_ignored_ones_are_not():
    frame = np.full((1, 3, 3), 90, np.uint8)
    label, prediction = np.array([[1, 1, 255]], np.uint8), np.array([[1, 2, 2]], np.uint8)
    shown = errors_rgb(frame, label, prediction)
    assert shown[0].tolist() == [[30, 30, 30], [255, 40, 40], [30, 30, 30]]


@pytest.mark.parametrize(("train", "said"), [([2], "1 of them have a neighbour"), ([], "see.")])
def test_page_says_how_much_validation_resembles_training(
    monkeypatch, labels, run_dir, train, said
):
    stems = [frame.stem for frame in labels.frames if frame.recording == "demo0"]
    load_oracle(monkeypatch, labels, val=[stems[1]], train=[stems[i] for i in train])
    report_run(run_dir, labels, text=TEXT)
    assert said in (run_dir / "report.html").read_text(encoding="utf-8")


def test_validation_frame_that_is_gone_is_named(monkeypatch, labels, run_dir):
    load_oracle(monkeypatch, labels, val=[labels.frames[0].stem, "demo9_frame_0009"])
    with pytest.raises(DataError, match="demo9_frame_0009"):
        report_run(run_dir, labels, text=TEXT)
    assert not (run_dir / "report.html").exists()


def test_filmstrip_goes_from_first_to_last_frame(tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10), options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(0, 250, 25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    strip = filmstrip(tmp_path / "clip.mp4", count=3)
    assert strip.shape == (180, 720, 3)
    middles = [int(strip[90, x, 0]) for x in (120, 360, 600)]
    np.testing.assert_allclose(middles, [0, 100, 225], atol=4)
