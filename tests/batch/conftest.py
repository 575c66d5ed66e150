"""Inputs, and what becomes of them where nothing goes wrong, made once for all tests here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.batch.clips import label_here, make_inputs


@pytest.fixture(autouse=True)
def _as_users_have_it(monkeypatch):
    # The checkpoint is exported when it is first met, and kept in the user's cache.
    monkeypatch.setenv("WRISTSEG_RUNTIME", "onnxruntime")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """Eight clips, two of poison."""
    return make_inputs(tmp_path_factory.mktemp("inputs") / "clips", clips=8, poison=2)


@pytest.fixture(scope="session")
def _made_once(inputs, tmp_path_factory):
    output = tmp_path_factory.mktemp("made") / "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WRISTSEG_RUNTIME", "onnxruntime")
        assert label_here(inputs, output) == 4
    return output


@pytest.fixture
def in_one_process(_made_once, tmp_path):
    """The outputs of ``inputs`` as one process without workers makes them."""
    return Path(shutil.copytree(_made_once, tmp_path / "one"))
