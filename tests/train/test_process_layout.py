"""How many processes a training has, by its options and by what torchrun says."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from wristseg.errors import UsageError
from wristseg.modeling.network import SegmentationNetwork
from wristseg.train.processes import make_strategy, process_layout
from wristseg.train.sync_norm import SharedStatistics, SharedStatisticsNorm


@pytest.fixture
def torchrun(monkeypatch):
    """What torchrun says in a process of two machines with four processes each."""
    for name, value in {
        "TORCHELASTIC_RUN_ID": "test",
        "WORLD_SIZE": "8",
        "LOCAL_WORLD_SIZE": "4",
    }.items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_it_is_one_device_whatever_the_machine_has(config):
    assert process_layout(config) == (1, 1)
    assert make_strategy(config, *process_layout(config)) == "auto"


def test_torchrun_says_how_many_there_are(config, torchrun):
    assert process_layout(config) == (4, 2)
    same = dataclasses.replace(config, devices="4", num_nodes=2)
    assert process_layout(same) == (4, 2)


@pytest.mark.parametrize("options", [{"devices": "2"}, {"num_nodes": 3}])
def test_options_that_contradict_torchrun_are_refused(config, torchrun, options):
    with pytest.raises(UsageError, match="torchrun started 4 processes on each of 2 machines"):
        process_layout(dataclasses.replace(config, **options))


def test_shared_statistics_come_and_go_without_touching_the_weights():
    network = SegmentationNetwork(6)
    before = {name: weight.data_ptr() for name, weight in network.state_dict().items()}
    shared = SharedStatistics(on_gpus=False)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    shared.apply(network)
    assert sum(type(module) is SharedStatisticsNorm for module in network.modules()) == norms > 20
    assert {name: weight.data_ptr() for name, weight in network.state_dict().items()} == before
    shared.revert(network)
    assert not any(type(module) is SharedStatisticsNorm for module in network.modules())


def test_shared_statistics_of_one_process_are_its_own():
    maps = torch.randn(2, 3, 4, 4)
    own, shared = nn.BatchNorm2d(3), SharedStatisticsNorm(3)
    assert torch.equal(own(maps), shared(maps))
