"""Losses over logits and class ids; pixels labelled 255 count in none of them.

``soft_iou_loss`` is the Jaccard index of class probabilities, https://arxiv.org/abs/1608.01471
(eq. 3), summed over the batch before the division. Called by ``train.module``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from wristseg.classes import IGNORE_INDEX

__all__ = ["cross_entropy_loss", "loss_function", "soft_iou_loss"]

#: Keeps a class without any probability or label from dividing by zero.
_EPSILON = 1e-6


def soft_iou_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - mean soft IoU over **all** classes, also those absent from the batch.

    Args:
        logits: (N, C, H, W) float.
        labels: (N, H, W) uint8, class ids or 255.

    Returns:
        () float32, between 0 and 1.
    """
    # float32 also under autocast: sums over a million pixels do not fit float16.
    probabilities = logits.float().softmax(dim=1)  # (N, C, H, W)
    counted = labels != IGNORE_INDEX
    weight = counted.float()
    ids = torch.where(counted, labels, 0).long()
    of_true_class = probabilities.gather(1, ids.unsqueeze(1)).squeeze(1) * weight  # (N, H, W)
    none = probabilities.new_zeros(logits.shape[1])
    intersection = none.scatter_add(0, ids.flatten(), of_true_class.flatten())  # (C,)
    labelled = none.scatter_add(0, ids.flatten(), weight.flatten())  # (C,)
    predicted = torch.einsum("nchw,nhw->c", probabilities, weight)  # (C,)
    union = predicted + labelled - intersection
    return 1 - ((intersection + _EPSILON) / (union + _EPSILON)).mean()


def cross_entropy_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of the counted pixels, 0 where there are none.

    Args:
        logits: (N, C, H, W) float.
        labels: (N, H, W) uint8, class ids or 255.

    Returns:
        () float32.
    """
    total = functional.cross_entropy(
        logits.float(), labels.long(), ignore_index=IGNORE_INDEX, reduction="sum"
    )
    return total / (labels != IGNORE_INDEX).sum().clamp(min=1)


def loss_function(name: Literal["iou", "ce"]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss that ``--loss`` names.

    Raises:
        ValueError: There is no loss of that name.
    """
    losses = {"iou": soft_iou_loss, "ce": cross_entropy_loss}
    if name not in losses:
        raise ValueError(f"loss {name!r}: expected one of {', '.join(losses)}")
    return losses[name]
