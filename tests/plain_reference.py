"""Networks and checkpoints of the plain script that people used before wristseg.

Its formulation (``benchmarks/plain.py``) is the one to agree with: every level smoothed, 64
channels enlarged to the frame, the 1x1 head there, int64 argmax, and Pillow and torch per frame.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.plain import EfficientViTSegModule as PlainNetwork
from benchmarks.plain import predict_frame as plain_predict
from wristseg.benchmark.random_weights import random_network

__all__ = ["PlainNetwork", "plain_predict", "randomised_network", "save_plain_checkpoint"]


@functools.cache
def randomised_network(num_classes: int = 6) -> PlainNetwork:
    """Return a network in evaluation mode whose masks hold several classes; do not change it."""
    network = PlainNetwork(num_classes)
    network.load_state_dict(random_network(num_classes).state_dict())
    return network.eval()


def save_plain_checkpoint(
    path: Path, network: nn.Module, *, size_hw: tuple[int, int] = (84, 84), **changes: Any
) -> Path:
    """Write the file that Lightning left; ``changes`` replace hyper-parameters, None drops one."""
    hyper_parameters = {
        "num_classes": network.seg_head.out_channels,
        "lr": 1e-4,
        "weight_decay": 1e-4,
        "img_height": size_hw[0],
        "img_width": size_hw[1],
        "loss_type": "iou",
        **changes,
    }
    checkpoint = {
        "epoch": 41,
        "global_step": 1470,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": network.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'val/iou', 'mode': 'max'}": {
                "monitor": "val/iou",
                "best_model_score": torch.tensor(0.8125),
                "current_score": torch.tensor(0.8125),
                "dirpath": "outputs/efficientvit_seg",
            }
        },
        "optimizer_states": [],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {k: v for k, v in hyper_parameters.items() if v is not None},
    }
    torch.save(checkpoint, path)
    return path
