"""The model of these tests: a stand-in that gives every class."""

from __future__ import annotations

import pytest

from tests.lerobot.stand_in import ColourSegmenter


@pytest.fixture
def segmenter():
    return ColourSegmenter()


@pytest.fixture
def checkpoint(tmp_path, segmenter, monkeypatch):
    monkeypatch.setattr("wristseg.lerobot.masks.Segmenter.load", lambda *_, **__: segmenter)
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"weights")
    return path
