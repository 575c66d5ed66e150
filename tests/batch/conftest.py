"""The small model that ships, made ready for ONNX Runtime once for all tests of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.batch.clips import label, make_inputs


@pytest.fixture(scope="session")
def _cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _exported_model(_cache, monkeypatch):
    # Workers run as users have them: ONNX Runtime, from a checkpoint that was exported once.
    monkeypatch.setenv("WRISTSEG_RUNTIME", "onnxruntime")
    monkeypatch.setenv("WRISTSEG_CACHE", str(_cache))


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """Eight clips, two of poison."""
    return make_inputs(tmp_path_factory.mktemp("inputs") / "clips", clips=8, poison=2)


@pytest.fixture(scope="session")
def _made_once(inputs, _cache, tmp_path_factory):
    output = tmp_path_factory.mktemp("made") / "one"
    environ = {"WRISTSEG_RUNTIME": "onnxruntime", "WRISTSEG_CACHE": str(_cache)}
    done = label(inputs, output, "--workers", "0", **environ)
    assert done.returncode == 4, done.stderr
    return output


@pytest.fixture
def in_one_process(_made_once, tmp_path):
    """The outputs of ``inputs`` as one process without workers makes them."""
    return Path(shutil.copytree(_made_once, tmp_path / "one"))
