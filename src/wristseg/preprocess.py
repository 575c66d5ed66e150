"""The one way from a camera frame to the network's input, shared by train, export and predict.

RGB, an optional centre-square crop, Pillow's bilinear resize (which averages when it shrinks, so
OpenCV's would give other numbers), division by 255 once, ImageNet mean and deviation.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "PreprocessContract",
    "bgr_to_rgb",
    "bilinear_weights",
    "nearest_indices",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PreprocessContract:
    """What happens to a frame before the network; stored in every checkpoint.

    Attributes:
        size_hw: Height and width of the network's input in pixels.
        crop: ``none``, or ``center-square`` for the largest centred square.
    """

    size_hw: tuple[int, int]
    crop: Literal["none", "center-square"] = "none"

    def to_dict(self) -> dict[str, Any]:
        """Return the contract with its fixed parts spelled out, as checkpoints carry it."""
        fixed = {
            "color_order": "rgb",
            "interpolation": "pillow-bilinear",
            "scale": "1/255",
            "mean": list(IMAGENET_MEAN),
            "std": list(IMAGENET_STD),
        }
        return {**asdict(self), "size_hw": list(self.size_hw), **fixed}

    @classmethod
    def from_dict(cls, contract: dict[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Raises:
            ValueError: The contract asks for something this version does not do.
        """
        height, width = contract["size_hw"]
        read = cls(size_hw=(int(height), int(width)), crop=contract["crop"])
        if read.to_dict() != {**contract, "size_hw": [height, width]}:
            raise ValueError(f"preprocess contract is not one this version follows: {contract}")
        return read

    def crop_box(self, frame_hw: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return (top, left, height, width) of the part of the frame that the network sees."""
        height, width = frame_hw
        if self.crop == "none":
            return 0, 0, height, width
        side = min(height, width)
        return (height - side) // 2, (width - side) // 2, side, side

    def resize_frame(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop and resize a frame.

        Args:
            frame_rgb: (H, W, 3) uint8, RGB.

        Returns:
            (h, w, 3) uint8, RGB, at ``size_hw``.
        """
        cropped = self._cropped(frame_rgb)
        if cropped.shape[:2] == self.size_hw:
            return cropped
        size_wh = self.size_hw[::-1]
        return np.asarray(Image.fromarray(cropped).resize(size_wh, Image.Resampling.BILINEAR))

    def resize_mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop and resize class ids with nearest neighbour: (H, W) to (h, w) uint8."""
        cropped = self._cropped(mask)
        if cropped.shape == self.size_hw:
            return cropped
        size_wh = self.size_hw[::-1]
        return np.asarray(Image.fromarray(cropped).resize(size_wh, Image.Resampling.NEAREST))

    def restore_mask(self, mask: NDArray[np.uint8], frame_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Bring the network's (h, w) ids back to the frame; what a crop cut off becomes 0.

        Returns:
            (H, W) uint8, class ids at ``frame_hw``.
        """
        top, left, height, width = self.crop_box(frame_hw)
        if mask.shape != (height, width):
            rows = nearest_indices(mask.shape[0], height)
            columns = nearest_indices(mask.shape[1], width)
            # A fifth of the time of Pillow's resize, which gives the same.
            mask = mask.take(columns, axis=1).take(rows, axis=0)
        if (height, width) == frame_hw:
            return mask
        restored = np.zeros(frame_hw, np.uint8)
        restored[top : top + height, left : left + width] = mask
        return restored

    def normalize(self, resized_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scale to 0-1 and standardise: (..., 3) uint8 RGB to (..., 3) float32, channels last."""
        # Looked up: a ninth of the time of the arithmetic on a whole batch, the same numbers.
        pixels = cv2.LUT(
            np.ascontiguousarray(resized_rgb).reshape(1, -1, 3), _standardised_levels()
        )
        return np.asarray(pixels, np.float32).reshape(resized_rgb.shape)

    def _cropped(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        top, left, height, width = self.crop_box((image.shape[0], image.shape[1]))
        return image[top : top + height, left : left + width]


@functools.cache
def _standardised_levels() -> NDArray[np.float32]:
    """Return (1, 256, 3) float32: what each of the 256 levels becomes in each channel."""
    levels = np.arange(256, dtype=np.float32)[None, :, None] / np.float32(255)
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return (levels - mean) / std


def bgr_to_rgb(frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Swap channel order: (H, W, 3) uint8 BGR, as OpenCV cameras give it, to RGB."""
    return np.asarray(cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB), np.uint8)


def nearest_indices(length_in: int, length_out: int) -> NDArray[np.int64]:
    """Return which sample of ``length_in`` each of ``length_out`` is, as Pillow's NEAREST takes it.

    >>> nearest_indices(2, 4)
    array([0, 0, 1, 1])
    """
    steps = np.full(length_out, length_in / length_out)
    steps[0] /= 2
    # Pillow adds step by step, and the rounding of that decides where a centre is a whole number.
    return np.cumsum(steps).astype(np.int64)


def bilinear_weights(length_in: int, length_out: int) -> NDArray[np.float64]:
    """Return Pillow's BILINEAR resize of one axis as a matrix.

    A triangle, as wide as a pixel of the result where that is the larger one, is laid at each
    result's centre; its weights are held in 22 bits behind the point, as Pillow holds them for
    bytes (``Resample.c``, https://github.com/python-pillow/Pillow).

    Returns:
        (length_out, length_in) float64, whose rows sum to 1 but for the rounding.

    >>> bilinear_weights(4, 2)
    array([[0.42857146, 0.42857146, 0.14285707, 0.        ],
           [0.        , 0.14285707, 0.42857146, 0.42857146]])
    """
    scale = length_in / length_out
    reach = max(scale, 1.0)
    weights = np.zeros((length_out, length_in))
    for i in range(length_out):
        centre = (i + 0.5) * scale
        start = max(int(centre - reach + 0.5), 0)
        stop = min(int(centre + reach + 0.5), length_in)
        row = np.maximum(0, 1 - np.abs(np.arange(start, stop) - centre + 0.5) / reach)
        weights[i, start:stop] = row / row.sum()
    return np.rint(weights * 2**22) / 2**22
