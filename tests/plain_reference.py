"""The plain script that people used before wristseg, as their checkpoints were made with it.

Its formulation is the one to agree with: every level smoothed, 64 channels enlarged to the frame,
the 1x1 head there, int64 argmax, and Pillow and torch for each frame.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["PlainNetwork", "plain_predict", "randomised_network", "save_plain_checkpoint"]


class PlainNetwork(nn.Module):
    """(N, 3, H, W) float to (N, num_classes, H, W) logits."""

    def __init__(self, num_classes: int = 6) -> None:
        super().__init__()
        self.backbone = timm.create_model(
            "efficientvit_b0.r224_in1k", features_only=True, pretrained=False
        )
        self.lateral_convs = nn.ModuleList(nn.Conv2d(c, 64, 1) for c in (16, 32, 64, 128))
        self.output_convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU())
            for _ in range(4)
        )
        self.seg_head = nn.Conv2d(64, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [lat(f) for lat, f in zip(self.lateral_convs, self.backbone(x), strict=True)]
        for i in (2, 1, 0):
            size = levels[i].shape[-2:]
            coarse = functional.interpolate(
                levels[i + 1], size=size, mode="bilinear", align_corners=False
            )
            levels[i] = levels[i] + coarse
        smoothed = [conv(level) for conv, level in zip(self.output_convs, levels, strict=True)]
        full = functional.interpolate(
            smoothed[0], size=x.shape[-2:], mode="bilinear", align_corners=False
        )
        return self.seg_head(full)


@functools.cache
def randomised_network(num_classes: int = 6) -> PlainNetwork:
    """Return a network in evaluation mode whose masks hold several classes; do not change it."""
    torch.manual_seed(3)
    network = PlainNetwork(num_classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            module.momentum = None  # running statistics of the one batch below: the signal lives on
    network.train()
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
        nn.init.normal_(network.seg_head.weight, std=1.0)
        network.seg_head.bias.zero_()
    return network.eval()


def plain_predict(
    network: nn.Module, frame_bgr: NDArray[np.uint8], size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return (H, W) uint8 class ids, made step by step as the plain script did."""
    height, width = frame_bgr.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(frame_bgr[:, :, ::-1]))
    image = image.resize((size_hw[1], size_hw[0]), Image.Resampling.BILINEAR)
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255.0
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        ids = network(((x - mean) / std)[None]).argmax(dim=1)[0].numpy().astype(np.uint8)
    return np.array(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))


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
