"""Checkpoints of random weights, for machines where none is trained: time does not depend on them.

Called by ``benchmark.worker``; wristseg and the plain implementation both read what it writes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from wristseg.modeling.network import SegmentationNetwork

__all__ = ["random_network", "write_random_checkpoint"]

_NUM_CLASSES = 6


def random_network(num_classes: int = _NUM_CLASSES, *, seed: int = 3) -> SegmentationNetwork:
    """Return a network in evaluation mode whose masks hold several classes.

    A network as it is initialised calls every pixel the same: its normalisation has seen nothing.
    """
    torch.manual_seed(seed)
    network = SegmentationNetwork(num_classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            module.momentum = None  # running statistics of the one batch below: the signal lives on
    network.train()
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
        nn.init.normal_(network.seg_head.weight, std=1.0)
        assert network.seg_head.bias is not None
        network.seg_head.bias.zero_()
    return network.eval()


def write_random_checkpoint(path: Path, size_hw: tuple[int, int]) -> None:
    """Write a checkpoint in the form that the plain Lightning script leaves."""
    hyper_parameters = {
        "num_classes": _NUM_CLASSES,
        "lr": 1e-4,
        "weight_decay": 1e-4,
        "img_height": size_hw[0],
        "img_width": size_hw[1],
        "loss_type": "iou",
    }
    checkpoint = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": random_network().state_dict(),
        "hyper_parameters": hyper_parameters,
    }
    torch.save(checkpoint, path)
