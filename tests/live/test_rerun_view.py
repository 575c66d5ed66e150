"""Rerun: an .rrd file holds what the loop gave, and reports of use are off before it starts."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.live import LiveResult

pytest.importorskip("rerun", reason="the extra rerun is not installed")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WRISTSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "cache"


def result(number, *, status="ok"):
    frame = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
    mask = (frame[..., 0] % 6).astype(np.uint8)
    return LiveResult(
        mask=mask, frame_bgr=frame, frame_id=number, t_capture=number / 30,
        t_ready=number / 30 + 0.004, age_ms=5.0, status=status,
        problem="" if status == "ok" else "the camera is gone",
    )  # fmt: skip


def test_rrd_file_is_written_and_reports_of_use_are_off(cache, tmp_path):
    from wristseg.live.rerun_view import RerunView

    path = tmp_path / "run.rrd"
    with RerunView(DEFAULT_CLASSES, save=path) as view:
        for number in range(5):
            view.show(result(number))
        view.show(result(4, status="disconnected"))
    assert path.read_bytes()[:4] in {b"RRF2", b"RRIO", b"RRF3"}
    assert path.stat().st_size > 5 * 48 * 64
    settings = json.loads((cache / "rerun" / "rerun" / "analytics.json").read_text())
    assert settings["analytics_enabled"] is False
    assert os.environ["XDG_CONFIG_HOME"] == str(tmp_path / "config")
    assert not (tmp_path / "config").exists()
    assert "TELEMETRY_ENABLED" not in os.environ


def column(path, entity, name):
    """Values of a column of an entity in an .rrd file, read back by Rerun's own reader."""
    from rerun.chunk import RrdReader

    chunks = (c for c in RrdReader(path).stream().to_chunks() if c.entity_path == entity)
    batches = (chunk.to_record_batch() for chunk in chunks)
    return [value for batch in batches for value in batch.column(name).to_pylist()]


def test_reruns_own_reader_gives_back_masks_ages_areas_classes_and_faults(cache, tmp_path):
    pytest.importorskip("rerun.chunk", reason="readers of .rrd files came with later versions")
    from wristseg.live.rerun_view import RerunView

    path, shown = tmp_path / "run.rrd", [result(number) for number in range(3)]
    with RerunView(DEFAULT_CLASSES, save=path) as view:
        for one in shown:
            view.show(one)
        view.show(result(2, status="disconnected"))
    assert column(path, "/camera/mask", "frame") == [0, 1, 2]
    masks = column(path, "/camera/mask", "SegmentationImage:buffer")
    assert [bytes(*buffer) for buffer in masks] == [one.mask.tobytes() for one in shown]
    ((form,), *_) = column(path, "/camera/mask", "SegmentationImage:format")
    assert (form["height"], form["width"]) == (48, 64)
    assert len(column(path, "/camera/frame", "EncodedImage:blob")) == 3
    assert column(path, "/age_ms", "Scalars:scalars") == [[5.0]] * 4
    cube = [100 * float((one.mask == 3).mean()) for one in (*shown, shown[-1])]
    assert np.ravel(column(path, "/area/cube", "Scalars:scalars")) == pytest.approx(cube)
    assert "disconnected: the camera is gone" in str(column(path, "/log", "TextLog:text"))
    (classes,) = column(path, "/camera", "AnnotationContext:context")
    assert "static_finger" in str(classes)


def test_viewer_is_not_started_where_reports_cannot_be_switched_off(cache, tmp_path, monkeypatch):
    import subprocess

    from wristseg.errors import UsageError
    from wristseg.live.rerun_view import RerunView

    def refuse(command, **_options):
        return subprocess.CompletedProcess(command, 1, "", "no such command")

    monkeypatch.setattr(subprocess, "run", refuse)
    with (
        pytest.raises(UsageError, match="cannot be switched off: no such command"),
        RerunView(DEFAULT_CLASSES, save=tmp_path / "run.rrd"),
    ):
        pass
    assert not (tmp_path / "run.rrd").exists()
