"""The network: EfficientViT-B0 features and an FPN decoder, 846,838 parameters with 6 classes.

In: standardised frames. Out: logits at the same size. Training, prediction and export all build it
through ``SegmentationNetwork``; its parameter names are those of existing ``best.ckpt`` files.

Papers: EfficientViT, https://arxiv.org/abs/2205.14756 (backbone, through timm); Feature Pyramid
Networks, https://arxiv.org/abs/1612.03144 (decoder).
"""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BACKBONE", "DECODER_CHANNELS", "SegmentationNetwork"]

#: timm's name of the backbone; the part after the point names the ImageNet weights.
BACKBONE = "efficientvit_b0.r224_in1k"

DECODER_CHANNELS = 64


class SegmentationNetwork(nn.Module):
    """EfficientViT-B0 at strides 4, 8, 16, 32, merged top-down and read at stride 4.

    The plain formulation smooths all four levels, enlarges 64 channels to the frame and applies the
    1x1 head there. Only the finest level reaches the output, and a 1x1 convolution commutes with
    bilinear enlargement (whose weights sum to 1), so here one level is smoothed and the head comes
    first: the same logits in 40 % of the time. The three unused blocks stay, frozen, because
    existing checkpoints hold them.

    Args:
        num_classes: Channels of the logits.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = timm.create_model(BACKBONE, features_only=True, pretrained=False)
        levels = self.backbone.feature_info.channels()
        self.lateral_convs = nn.ModuleList(
            nn.Conv2d(channels, DECODER_CHANNELS, kernel_size=1) for channels in levels
        )
        self.output_convs = nn.ModuleList(_smoothing_block() for _ in levels)
        self.seg_head = nn.Conv2d(DECODER_CHANNELS, num_classes, kernel_size=1)
        self.output_convs[1:].requires_grad_(False)  # no gradient reaches them; DDP must know

    def forward(self, images: Tensor) -> Tensor:
        """Return logits.

        Args:
            images: (N, 3, H, W) float, standardised RGB (``PreprocessContract.normalize``).

        Returns:
            (N, num_classes, H, W) float.
        """
        return _enlarge(self.coarse_logits(images), images.shape[2:])  # (N, C, H, W)

    def coarse_logits(self, images: Tensor) -> Tensor:
        """Return logits before they are enlarged to the frame: (N, num_classes, H/4, W/4)."""
        features = self.backbone(images)  # (N, 16..128, H/4..H/32, W/4..W/32), finest first
        merged = self.lateral_convs[-1](features[-1])  # (N, 64, H/32, W/32)
        for lateral, feature in zip(
            reversed(self.lateral_convs[:-1]), reversed(features[:-1]), strict=True
        ):
            finer = lateral(feature)
            merged = finer + _enlarge(merged, finer.shape[2:])  # one level finer: (N, 64, ...)
        logits: Tensor = self.seg_head(self.output_convs[0](merged))
        return logits  # (N, C, H/4, W/4)


def _smoothing_block() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(DECODER_CHANNELS, DECODER_CHANNELS, kernel_size=3, padding=1),
        nn.BatchNorm2d(DECODER_CHANNELS),
        nn.ReLU(inplace=True),
    )


def _enlarge(maps: Tensor, size_hw: torch.Size) -> Tensor:
    return functional.interpolate(maps, size=size_hw, mode="bilinear", align_corners=False)
