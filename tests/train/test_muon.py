"""Muon on kernels: every trained weight has one optimizer, and kernels move in place."""

from __future__ import annotations

import pytest
import torch

from wristseg.modeling.network import SegmentationNetwork
from wristseg.train.muon import KernelMuon, split_kernels


@pytest.fixture(params=[torch.channels_last, torch.contiguous_format])
def network(request):
    torch.manual_seed(0)
    return SegmentationNetwork(6).to(memory_format=request.param)


def trained(network):
    return [weight for weight in network.parameters() if weight.requires_grad]


def test_every_trained_weight_is_either_a_kernel_or_another(network):
    kernels, others = split_kernels(trained(network), num_classes=6)
    assert sorted(map(id, [*kernels, *others])) == sorted(map(id, trained(network)))
    share = sum(kernel.numel() for kernel in kernels) / sum(
        weight.numel() for weight in [*kernels, *others]
    )
    assert share > 0.9


def test_head_and_depthwise_kernels_are_no_matrices(network):
    kernels, _ = split_kernels(trained(network), num_classes=6)
    found = {id(kernel) for kernel in kernels}
    assert id(network.seg_head.weight) not in found
    assert all(kernel.shape[1] > 1 for kernel in kernels)


def test_a_step_changes_the_networks_own_kernels_by_steps_of_one_length(network):
    kernels, _ = split_kernels(trained(network), num_classes=6)
    optimizer = KernelMuon([{"params": kernels, "lr": 0.1}], weight_decay=0.0)
    before = [kernel.detach().clone() for kernel in kernels]
    for kernel in kernels:
        kernel.grad = torch.randn_like(kernel) * 1e-3
    optimizer.step()
    for kernel, old in zip(kernels, before, strict=True):
        out = kernel.shape[0]
        change = (kernel.detach() - old).permute(0, 2, 3, 1).reshape(out, -1) / 0.1
        # Newton-Schulz leaves singular values near 1, whatever the gradient's size was.
        scale = max(1.0, change.shape[0] / change.shape[1]) ** 0.5
        values = torch.linalg.svdvals(change) / scale
        assert 0.5 < float(values.median()) < 1.3


def test_what_kernels_are_in_memory_does_not_change_the_step():
    steps = []
    for memory_format in (torch.channels_last, torch.contiguous_format):
        torch.manual_seed(0)
        kernel = torch.randn(8, 4, 3, 3).to(memory_format=memory_format).requires_grad_()
        optimizer = KernelMuon([{"params": [kernel], "lr": 0.1}], weight_decay=0.1)
        kernel.grad = torch.linspace(-1, 1, kernel.numel()).view(kernel.shape).sin()
        optimizer.step()
        steps.append(kernel.detach().contiguous())
    assert torch.allclose(*steps, atol=1e-5)
