"""Statistics of batch normalisation for one size, and how good the network is with them.

In: a trained network and frames in a device's memory. Out: the network, settled at that size, and
its confusion matrix. Called by ``scripts/pretrain.py``, whose networks have seen several sizes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wristseg.data.frame_pool import FramePool, to_device
from wristseg.metrics import confusion_matrix
from wristseg.modeling.losses import enlarge_logits
from wristseg.modeling.network import SegmentationNetwork
from wristseg.preprocess import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["confusion_of", "settle", "standardised"]

_BATCH, _VAL_BATCH = 16, 4


@torch.no_grad()
def settle(
    network: SegmentationNetwork, pool: FramePool, size_hw: tuple[int, int], *, seed: int
) -> None:
    """Measure the statistics of batch normalisation anew, at one size, on frames as they are.

    Those that training leaves are a mixture of all sizes and of augmented frames, which cost 0.05
    to 0.1 of mean IoU (docs/experiments.md). After https://arxiv.org/abs/2105.07576, section 3.

    Args:
        network: Changed in place, and in evaluation afterwards.
        pool: Frames to measure on.
        size_hw: One of the pool's sizes, above 32: one feature has no statistics.
        seed: The order of frames follows from it.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    network.train()
    order = np.random.default_rng(seed).permutation(pool.count(size_hw))
    for start in range(0, len(order), _BATCH):
        images, _ = pool.batch(size_hw, order[start : start + _BATCH])
        network.coarse_logits(_plain(images))
    network.eval()


@torch.no_grad()
def confusion_of(
    network: SegmentationNetwork, pool: FramePool, size_hw: tuple[int, int]
) -> NDArray[np.int64]:
    """Return (C, C) counts over all frames of the pool, as ``metrics.confusion_matrix`` does.

    Args:
        network: In evaluation.
        pool: Frames to measure on.
        size_hw: One of the pool's sizes.
    """
    confusion = np.zeros((network.num_classes, network.num_classes), np.int64)
    for start in range(0, pool.count(size_hw), _VAL_BATCH):
        at = np.arange(start, min(start + _VAL_BATCH, pool.count(size_hw)))
        images, masks = pool.batch(size_hw, at)
        logits = enlarge_logits(network.coarse_logits(_plain(images)), masks.shape[1:])
        ids = logits.max(1)[1].to(torch.uint8)
        confusion += confusion_matrix(ids.cpu().numpy(), masks.cpu().numpy(), network.num_classes)
    return confusion


def standardised(images: Tensor) -> Tensor:
    """Return (N, 3, H, W) float32, channels last, less ImageNet's mean, over its deviation.

    Args:
        images: (N, 3, H, W) float32, colours of 0 to 1, laid out in any way.
    """
    mean, std = (
        to_device(torch.tensor(values), images.device).view(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def _plain(images: Tensor) -> Tensor:
    """Return (N, 3, H, W) float32, standardised, of (N, H, W, 3) uint8."""
    return standardised((images / 255).permute(0, 3, 1, 2))
