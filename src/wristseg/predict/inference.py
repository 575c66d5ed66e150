"""The class that robot code written for the plain script imports; new code takes ``Segmenter``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.overlay import blend
from wristseg.predict.segmenter import Segmenter
from wristseg.preprocess import bgr_to_rgb

__all__ = ["SegmentationInference"]


class SegmentationInference:
    """A loaded checkpoint that segments BGR frames and shows the result.

    Args:
        checkpoint_path: A ``.ckpt`` file.
        device: ``cpu``, ``cuda``, ``mps``, a ``torch.device``, or None for the best there is.

    Raises:
        CheckpointError: The file is damaged, unsafe, or of another network.
        UsageError: This machine has no such device.
    """

    def __init__(self, checkpoint_path: Path | str, device: object = None) -> None:
        self.segmenter = Segmenter.load(
            checkpoint_path, device="auto" if device is None else str(device)
        )

    def predict(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a (H, W, 3) uint8 BGR frame into (H, W) uint8 class ids."""
        return self.segmenter.predict(bgr)

    def visualize(
        self, bgr: NDArray[np.uint8], mask: NDArray[np.uint8], alpha: float = 0.5
    ) -> NDArray[np.uint8]:
        """Lay class colours over a frame.

        Args:
            bgr: (H, W, 3) uint8, BGR.
            mask: (H, W) uint8, class ids.
            alpha: Share of the colour, 0 to 1.

        Returns:
            (H, W, 3) uint8, BGR.
        """
        overlay_rgb = blend(bgr_to_rgb(bgr), mask, self.segmenter.classes, alpha=alpha)
        return bgr_to_rgb(overlay_rgb)  # swapping the outer channels is its own inverse
