"""A small model whose masks hold several classes."""

from __future__ import annotations

import pytest

from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.predict import Segmenter


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 48))


@pytest.fixture(scope="session")
def segmenter(checkpoint):
    return Segmenter.load(checkpoint, device="cpu")
