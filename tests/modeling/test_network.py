"""The network is EfficientViT-B0 with the plain script's decoder, computed in another order."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.plain_reference import randomised_network
from wristseg.modeling.network import SegmentationNetwork


@pytest.fixture(scope="module")
def plain():
    return randomised_network()


@pytest.fixture(scope="module")
def network(plain):
    ours = SegmentationNetwork(6).eval()
    ours.load_state_dict(plain.state_dict())
    return ours


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_it_has_846838_parameters_of_which_682608_are_the_backbone(network):
    assert count(network) == 846_838
    assert count(network.backbone) == 682_608


def test_state_dict_names_are_those_of_the_plain_script(network, plain):
    assert list(network.state_dict()) == list(plain.state_dict())
    parts = {name.split(".")[0] for name in network.state_dict()}
    assert parts == {"backbone", "lateral_convs", "output_convs", "seg_head"}


@pytest.mark.parametrize("size_hw", [(84, 84), (96, 160), (50, 71), (480, 640)])
def test_logits_equal_those_of_the_plain_formulation(network, plain, size_hw):
    images = torch.randn(2, 3, *size_hw, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = network(images), plain(images)
    assert ours.shape == (2, 6, *size_hw)
    scale = theirs.abs().max().clamp(min=1.0)
    assert ((ours - theirs).abs().max() / scale) <= 1e-5


@pytest.mark.parametrize("size_hw", [(84, 84), (50, 71), (120, 160)])
def test_but_for_rounding_the_logits_differ_by_less_than_1e5(network, plain, size_hw):
    images = torch.randn(1, 3, *size_hw, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = copy.deepcopy(network).double()(images.double())
        theirs = copy.deepcopy(plain).double()(images.double())
    assert (ours - theirs).abs().max() <= 1e-5


def test_gradients_equal_those_of_the_plain_formulation(plain):
    ours = SegmentationNetwork(6)
    ours.load_state_dict(plain.state_dict())
    plain = copy.deepcopy(plain).train()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for net in (ours, plain):
        net.zero_grad()
        net(images).square().mean().backward()
    theirs = dict(plain.named_parameters())
    for name, weight in ours.named_parameters():
        if weight.grad is None:
            assert theirs[name].grad is None or not theirs[name].grad.any(), name
        else:
            scale = theirs[name].grad.abs().max().clamp(min=1e-3)
            assert ((weight.grad - theirs[name].grad).abs().max() / scale) < 1e-2, name


def test_blocks_that_reach_no_output_are_kept_and_frozen(network):
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    assert frozen == {
        name
        for name, _ in network.named_parameters()
        if name.startswith(("output_convs.1", "output_convs.2", "output_convs.3"))
    }
