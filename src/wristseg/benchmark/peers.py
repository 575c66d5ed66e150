"""Peers: networks that a user would pick ready-made, with random weights, since only time counts.

segmentation-models-pytorch's ``FPN("tu-efficientvit_b0")`` is the nearest ready-made network,
torchvision's LR-ASPP MobileNetV3 the usual choice for small machines. Scaling, argmax and uint8
stand inside the module, so that the eager and the exported form do the same. Called by
``benchmark.models`` and ``benchmark.worker``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wristseg.preprocess import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["PeerNetwork", "read_peer", "write_peer"]

_NUM_CLASSES = 6
_OPSET = 17


class PeerNetwork(nn.Module):
    """(N, H, W, 3) uint8 RGB to (N, H, W) uint8 class ids.

    Args:
        family: ``smp`` or ``lraspp``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, family: str) -> None:
        super().__init__()
        self.network = _network(family)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, frames_rgb: Tensor) -> Tensor:
        """Return the class ids."""
        images = frames_rgb.permute(0, 3, 1, 2).float() / 255  # (N, 3, H, W)
        logits = self.network((images - self.mean) / self.std)
        if isinstance(logits, dict):  # torchvision's segmentation models
            logits = logits["out"]
        ids: Tensor = logits.argmax(dim=1).to(torch.uint8)  # (N, H, W)
        return ids


def write_peer(family: str, size_hw: tuple[int, int], *, weights: Path, onnx: Path | None) -> None:
    """Write a peer's random weights and, where asked for, its ONNX graph for one input size."""
    torch.manual_seed(0)
    network = PeerNetwork(family).eval()
    torch.save(network.state_dict(), weights)
    if onnx is not None:
        example = torch.zeros(1, *size_hw, 3, dtype=torch.uint8)
        # The exporter that traces: a second instead of ten, and it needs no further package.
        torch.onnx.export(network, (example,), str(onnx), dynamo=False, opset_version=_OPSET)


def read_peer(family: str, weights: Path) -> PeerNetwork:
    """Return a peer with the weights that ``write_peer`` wrote, in evaluation mode."""
    network = PeerNetwork(family)
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


def _network(family: str) -> Any:
    if family == "smp":
        import segmentation_models_pytorch as smp

        return smp.FPN("tu-efficientvit_b0", encoder_weights=None, classes=_NUM_CLASSES)
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=_NUM_CLASSES)
