"""What a cheap camera does to frames, for batches in PyTorch: blur, smear, noise and JPEG.

Each function takes (n, 3, H, W) float32 from 0 to 1 and one strength per frame. What
``data.appearance`` does to a frame at a time with OpenCV. Called by ``data.batch_augment``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wristseg.data.frame_pool import moved

__all__ = ["blur", "compress", "grain", "smear"]

#: Quantisation of brightness and of colour in JPEG (ITU-T T.81, annex K).
_LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99),
    *[99] * 32,
)
#: Pixels of a block along each side, where colour has half as many.
_JPEG_BLOCK = 16
_FROM_YCC = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def blur(images: Tensor, sigmas: NDArray[np.float64]) -> Tensor:
    """Blur each frame by its own Gaussian.

    Args:
        images: (n, 3, H, W) float32.
        sigmas: (n,) standard deviations in pixels.

    Returns:
        (n, 3, H, W) float32.
    """
    reach = max(1, math.ceil(2.5 * float(sigmas.max())))
    steps = np.arange(-reach, reach + 1)
    kernels = np.exp(-0.5 * (steps / np.maximum(sigmas, 0.05)[:, None]) ** 2)
    rows = kernels[:, None, :] / kernels.sum(axis=1)[:, None, None]
    return _filtered(_filtered(images, rows), rows.transpose(0, 2, 1))


def smear(images: Tensor, lengths: NDArray[np.float64], angles: NDArray[np.float64]) -> Tensor:
    """Average each frame along its own line.

    Args:
        images: (n, 3, H, W) float32.
        lengths: (n,) in pixels.
        angles: (n,) in radians.

    Returns:
        (n, 3, H, W) float32.
    """
    reach = max(1, math.ceil(float(lengths.max()) / 2))
    side = 2 * reach + 1
    along = np.linspace(-0.5, 0.5, 4 * side) * lengths[:, None]
    columns = np.rint(reach + along * np.cos(angles)[:, None]).astype(int)
    rows = np.rint(reach + along * np.sin(angles)[:, None]).astype(int)
    kernels = np.zeros((len(lengths), side, side))
    np.add.at(kernels, (np.arange(len(lengths))[:, None], rows, columns), 1.0)
    return _filtered(images, kernels / kernels.sum(axis=(1, 2), keepdims=True))


def grain(images: Tensor, sigmas: NDArray[np.float64], *, generator: torch.Generator) -> Tensor:
    """Return noise for each frame: some that the channels share, and colour in patches of 2x2.

    Args:
        images: (n, 3, H, W) float32; only its shape counts.
        sigmas: (n,) standard deviations.
        generator: Source of the noise, on the images' device.

    Returns:
        (n, 3, H, W) float32, to be added.
    """
    count, channels, height, width = images.shape
    device = images.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    coarse = normal(count, channels, -(-height // 2), -(-width // 2))
    colour = functional.interpolate(
        coarse, size=(height, width), mode="bilinear", align_corners=False
    )
    strength = moved(sigmas, device)
    return (0.7 * normal(count, 1, height, width) + colour) * strength.view(-1, 1, 1, 1)


def compress(images: Tensor, qualities: NDArray[np.float64]) -> Tensor:
    """Round each frame as JPEG with 4:2:0 colour does; nothing is encoded.

    Args:
        images: (n, 3, H, W) float32 of 0 to 1. Sides that are no multiple of 16 are continued by
            their last pixels, as libjpeg does.
        qualities: (n,) of 1 to 100, on the scale of libjpeg.

    Returns:
        (n, 3, H, W) float32 of 0 to 1.
    """
    height, width = images.shape[2:]
    missing = (0, -width % _JPEG_BLOCK, 0, -height % _JPEG_BLOCK)
    whole = functional.pad(images, missing, mode="replicate")
    ycc = (images.new_tensor(_TO_YCC) @ whole.flatten(2)).view_as(whole) * 255
    luma = ycc[:, :1] - 128
    chroma = functional.avg_pool2d(ycc[:, 1:], 2)
    percent = np.where(qualities < 50, 5000 / np.maximum(qualities, 1), 200 - 2 * qualities)
    scale = moved(percent / 100, images.device)
    luma = _quantised(luma, _LUMA, scale) + 128
    chroma = _quantised(chroma, _CHROMA, scale)
    size_hw = whole.shape[2:]
    chroma = functional.interpolate(chroma, size=size_hw, mode="bilinear", align_corners=False)
    both = torch.cat([luma, chroma], dim=1) / 255
    rgb: Tensor = (images.new_tensor(_FROM_YCC) @ both.flatten(2)).view_as(whole)
    return rgb[:, :, :height, :width].clamp_(0, 1)


def _quantised(planes: Tensor, table: Sequence[int], scale: Tensor) -> Tensor:
    """Round the cosine transform of blocks of 8x8 to multiples of the scaled table."""
    count, channels, height, width = planes.shape
    steps = planes.new_tensor(table).view(8, 8)
    steps = (steps * scale.view(-1, 1, 1)).round().clamp(1, 255)[:, None, None, None]
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    cosines = _cosines().to(planes.device)
    rounded = torch.round(cosines @ blocks @ cosines.T / steps) * steps
    restored = cosines.T @ rounded @ cosines
    return restored.transpose(3, 4).reshape(count, channels, height, width)


def _cosines() -> Tensor:
    """Return (8, 8): the orthonormal discrete cosine transform."""
    order = torch.arange(8)
    table = torch.cos((2 * order + 1) * order.view(-1, 1) * math.pi / 16) / 2
    table[0] /= math.sqrt(2)
    return table


def _filtered(images: Tensor, kernels: NDArray[np.float64]) -> Tensor:
    """Filter each frame by its own kernel, (n, rows, columns), with mirrored borders."""
    count, channels, height, width = images.shape
    rows, columns = kernels.shape[1:]
    weights = moved(kernels, images.device)
    weights = weights.repeat_interleave(channels, dim=0).unsqueeze(1)
    padded = functional.pad(
        images, (columns // 2, columns // 2, rows // 2, rows // 2), mode="reflect"
    )
    joined = padded.reshape(1, count * channels, *padded.shape[2:])
    filtered = functional.conv2d(joined, weights, groups=count * channels)
    return filtered.view(count, channels, height, width)
