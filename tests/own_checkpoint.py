"""A checkpoint as ``wristseg train`` writes it, without a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from wristseg.classes import DEFAULT_CLASSES
from wristseg.preprocess import PreprocessContract

__all__ = ["save_own_checkpoint"]


def save_own_checkpoint(path: Path, network: nn.Module, **changes: Any) -> Path:
    """Write the file; ``changes`` replace what it says about itself."""
    said = {
        "format_version": 1,
        "classes": DEFAULT_CLASSES.to_dict(),
        "preprocess": PreprocessContract((84, 96), "center-square").to_dict(),
        "observation": {"size_hw": [84, 84]},
        "weights_source": "imagenet",
        "dataset_sha256": "ab" * 32,
        "split": {"train": ["a.jpg", "b.jpg"], "val": ["c.jpg"]},
        "git_commit": "c0ffee",
        "versions": {"torch": "2.10.0"},
        "metrics": {"val/iou": 0.5},
        "config": {"loss": "ce", "lr": 1e-4},
        "seed": 0,
        **changes,
    }
    torch.save({"epoch": 3, "state_dict": network.state_dict(), "wristseg": said}, path)
    return path
