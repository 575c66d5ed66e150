"""Checkpoints of weights alone, without a training's record, as ``load_network`` reads them.

Called by ``scripts/pretrain.py`` and ``scripts/label_loop.py``.
"""

from __future__ import annotations

from pathlib import Path

import torch

from wristseg.artifacts import atomic_path
from wristseg.errors import TrainingError
from wristseg.modeling.network import SegmentationNetwork

__all__ = ["write_plain_checkpoint"]


def write_plain_checkpoint(
    path: Path, network: SegmentationNetwork, *, size_hw: tuple[int, int], loss: str
) -> None:
    """Write a network's weights, whole or not at all.

    Args:
        path: The file; one that is there is replaced.
        network: On any device.
        size_hw: Height and width of the frames that it is made for.
        loss: What it was trained with, as ``losses.loss_function`` names it.

    Raises:
        TrainingError: A weight is NaN or infinite; a file that is there stays.
        OSError: The folder cannot be written to, or the disk is full.
    """
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    if not all(bool(torch.isfinite(value).all()) for value in state.values()):
        raise TrainingError(f"{path} is not written: weights are NaN or infinite")
    hyper_parameters = {
        "num_classes": network.num_classes,
        "img_height": size_hw[0],
        "img_width": size_hw[1],
        "loss_type": loss,
    }
    with atomic_path(path) as temporary:
        torch.save({"state_dict": state, "hyper_parameters": hyper_parameters}, temporary)
