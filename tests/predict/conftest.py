"""A small checkpoint of the plain script, whose masks hold several classes."""

from __future__ import annotations

import pytest
import torch

from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.predict import Segmenter


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """Frames are small here; on a busy machine two threads mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def plain_network():
    return randomised_network(seed=3)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, plain_network):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, plain_network, size_hw=(32, 48))


@pytest.fixture(scope="session")
def segmenter(checkpoint):
    return Segmenter.load(checkpoint, device="cpu")
