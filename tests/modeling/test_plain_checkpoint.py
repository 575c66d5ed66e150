"""Checkpoints of weights alone: read like any other, and never of weights that are no numbers."""

from __future__ import annotations

import pytest
import torch

from wristseg.errors import TrainingError
from wristseg.modeling.checkpoint import load_network
from wristseg.modeling.network import SegmentationNetwork
from wristseg.modeling.plain_checkpoint import write_plain_checkpoint


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SegmentationNetwork(6).to(memory_format=torch.channels_last)


def test_what_is_written_is_read(network, tmp_path):
    write_plain_checkpoint(tmp_path / "a.ckpt", network, size_hw=(48, 64), loss="compound")
    read, info = load_network(tmp_path / "a.ckpt")
    assert all(torch.equal(v, read.state_dict()[k]) for k, v in network.state_dict().items())
    assert (info.preprocess.size_hw, info.loss) == ((48, 64), "compound")


def test_weights_that_are_no_numbers_leave_the_file_as_it_was(network, tmp_path):
    path = tmp_path / "a.ckpt"
    write_plain_checkpoint(path, network, size_hw=(48, 64), loss="compound")
    before = path.read_bytes()
    with torch.no_grad():
        network.seg_head.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"a\.ckpt is not written: weights are NaN"):
        write_plain_checkpoint(path, network, size_hw=(48, 64), loss="compound")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]
