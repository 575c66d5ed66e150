"""Augmentation of whole batches in PyTorch, where frames lie in a GPU's memory already.

Sixteen cores augment 550 frames of 640x480 a second; a GPU trains on several times as many. In:
frames with exact masks. Out: the same, each seen from elsewhere, with other colours and patterns
per class, in other light and through another camera. A frame shows a table of one colour; the mask
says where it is, so it can turn green and striped while the fingers stay white: far more looks than
were recorded (https://arxiv.org/abs/1703.06907). Ranges of light and camera are those of
``data.appearance``. Called by ``scripts/pretrain.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wristseg.classes import IGNORE_INDEX, ClassTable
from wristseg.data.appearance import (
    JPEG_FROM_HEIGHT,
    MIDDLE,
    REFERENCE_HEIGHT,
    ROBUST,
    colour_matrix,
)
from wristseg.data.batch_camera import blur, compress, grain, smear
from wristseg.data.frame_pool import to_device
from wristseg.data.shadows import DARKNESS, TINT, Shadows, draw_shade

__all__ = ["BatchAugmentation", "Chances"]

#: Drawn once: shadows that batches choose from, (H, W).
_SHADES, _SHADE_HW = 1024, (120, 160)

#: Natural logarithms of the gains of the three channels of a recoloured class, at most.
_GAIN = 0.5
#: Natural logarithms of the cells of a pattern along the frame's shorter side, from coarse to fine.
_LOG_CELLS = (math.log(1.5), math.log(24.0))
#: Most cells of a pattern along either side, of which a part is seen.
_CANVAS = 48
#: How strongly a pattern shows; the class's own light and shade stay in any case.
_COVER = (0.3, 1.0)
#: How much a pattern is smaller at one side of the frame: a table is seen at an angle.
_TILT = 0.35


@dataclass(frozen=True)
class Chances:
    """Shares of frames, or of classes of a frame, that something is done to, 0 to 1.

    Attributes:
        mirror: Frames mirrored left and right.
        crop: Frames of which a part is kept.
        turn: Frames that are rotated.
        look: Frames whose classes may change their look at all.
        recolour: Classes of these whose hue and gains are turned.
        pattern: Classes of these that get a pattern.
        shadow: Frames that a shadow falls on.
        light: Frames whose exposure, contrast and colours are changed.
        camera: Factor on the chances of blur, smear, noise and JPEG.
    """

    mirror: float = 0.5
    crop: float = 0.7
    turn: float = 0.6
    look: float = 0.75
    recolour: float = 0.5
    pattern: float = 0.35
    shadow: float = 0.3
    light: float = 1.0
    camera: float = 1.0


class BatchAugmentation:
    """Augments batches on a device.

    Args:
        classes: Names of the classes; table and cube are what shadows of an arm fall on.
        device: Where batches lie.
        seed: What is drawn follows from it.
        chances: How often each thing is done.
    """

    def __init__(
        self,
        classes: ClassTable,
        *,
        device: torch.device,
        seed: int,
        chances: Chances | None = None,
    ) -> None:
        self._chances = chances or Chances()
        self._device = device
        self._rng = np.random.default_rng(seed)
        self._pixels = torch.Generator(device).manual_seed(seed)
        self._num_classes = len(classes)
        self._spared = Shadows.on(classes, 1.0).spared_ids
        shades = [draw_shade(self._rng, _SHADE_HW) for _ in range(_SHADES)]
        self._shades = torch.from_numpy(np.stack(shades)).to(device)

    def __call__(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Return augmented copies; the size stays.

        Args:
            images: (N, H, W, 3) uint8, RGB.
            masks: (N, H, W) uint8, class ids or 255.

        Returns:
            Images (N, 3, H, W) float32 of 0 to 1 in steps of 1/255, and masks (N, H, W) uint8,
            where what lies outside the frame is 255.
        """
        warped, seen = self._warp(images.permute(0, 3, 1, 2).float() / 255, masks)
        varied = self._some(len(images), self._chances.look)
        changed = self._cover(self._recolour(warped, seen, varied), seen, varied)
        changed = self._light(self._shadow(changed, seen))
        changed = self._camera(changed).mul_(255).round_().clamp_(0, 255).div_(255)
        return changed, seen

    def _warp(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Crop, rotate and mirror; one sampling, as in ``data.augment``."""
        count, _, height, width = images.shape
        draw, chances = self._rng, self._chances
        kept = np.where(draw.random(count) < chances.crop, draw.uniform(0.6, 1.0, count), 1.0)
        ratio = np.where(kept < 1.0, np.exp(draw.uniform(-0.1, 0.1, count)), 1.0)
        sides = np.minimum(np.sqrt(np.stack([kept * ratio, kept / ratio])), 1.0)  # of x and y
        shift = draw.uniform(-1.0, 1.0, (2, count)) * (1.0 - sides)
        angle = np.radians(draw.uniform(-10.0, 10.0, count)) * (draw.random(count) < chances.turn)
        scale_x = sides[0] * np.where(draw.random(count) < chances.mirror, -1.0, 1.0)
        cos, sin, aspect = np.cos(angle), np.sin(angle), height / width
        rows = [
            [scale_x * cos, -scale_x * sin * aspect, shift[0]],
            [sides[1] * sin / aspect, sides[1] * cos, shift[1]],
        ]
        grid = functional.affine_grid(
            self._moved(np.moveaxis(np.array(rows), -1, 0)), list(images.shape), align_corners=False
        )
        seen = functional.grid_sample(images, grid, align_corners=False)
        # Counted from 1, so that 0 is what lies outside.
        from_one = masks.unsqueeze(1).float() + 1
        from_one = functional.grid_sample(from_one, grid, mode="nearest", align_corners=False)
        ids = torch.where(from_one > 0, from_one - 1, IGNORE_INDEX).squeeze(1).to(torch.uint8)
        return seen, ids

    def _recolour(self, images: Tensor, masks: Tensor, varied: NDArray[np.int64]) -> Tensor:
        for class_id in range(1, self._num_classes):
            chosen = varied[self._some(len(varied), self._chances.recolour)]
            if not len(chosen):
                continue
            gains = np.exp(self._rng.uniform(-_GAIN, _GAIN, (len(chosen), 3, 1)))
            hues = self._rng.uniform(-math.pi, math.pi, len(chosen))
            matrices = gains * colour_matrix(1.0, hues)
            at, of_class = self._places(chosen, masks, class_id)
            part = images[at]
            images[at] = torch.where(of_class, _transform(part, self._moved(matrices)), part)
        return images.clamp_(0, 1)

    def _cover(self, images: Tensor, masks: Tensor, varied: NDArray[np.int64]) -> Tensor:
        """Multiply classes by a pattern around 1, so that their shadows stay."""
        for class_id in range(1, self._num_classes):
            chosen = varied[self._some(len(varied), self._chances.pattern)]
            if not len(chosen):
                continue
            share = self._moved(self._rng.uniform(*_COVER, len(chosen))).view(-1, 1, 1, 1)
            factor = 1 - share + 2 * share * self._patterns(len(chosen), images.shape[2:])
            at, of_class = self._places(chosen, masks, class_id)
            images[at] *= torch.where(of_class, factor, 1.0)
        return images.clamp_(0, 1)

    def _patterns(self, count: int, size_hw: Sequence[int]) -> Tensor:
        """Return (count, 3, H, W): coloured cells, few or many, long or square, at an angle."""
        draw = self._rng
        palettes = draw.random((count, 5, 3))
        shades = palettes.mean(axis=2, keepdims=True) * draw.uniform(0.6, 1.0, (count, 1, 3))
        palettes = np.where(draw.random((count, 1, 1)) < 0.3, shades, palettes)
        used = self._moved(draw.integers(2, 6, (count, 1)))
        shape = (count, _CANVAS**2)
        cells = (torch.rand(shape, generator=self._pixels, device=self._device) * used).long()
        cells = cells.unsqueeze(1).expand(-1, 3, -1)
        canvas = self._moved(palettes.transpose(0, 2, 1)).gather(2, cells)
        canvas = canvas.view(count, 3, _CANVAS, _CANVAS)
        # Cells seen along x and y, as a share of the canvas.
        along = np.exp(draw.uniform(*_LOG_CELLS, (2, count)))
        along[1] = np.where(draw.random(count) < 0.5, along[0], along[1])
        along /= _CANVAS
        angle = draw.uniform(-math.pi, math.pi, count)
        cos, sin, nil = np.cos(angle), np.sin(angle), np.zeros(count)
        tilt = draw.uniform(-_TILT, _TILT, (2, count))
        offset = draw.uniform(-0.3, 0.3, (2, count))
        homography = [
            [along[0] * cos, -along[0] * sin, offset[0]],
            [along[1] * sin, along[1] * cos, offset[1]],
            [tilt[0], tilt[1], nil + 1.0],
        ]
        matrix = self._moved(np.moveaxis(np.array(homography), -1, 0))
        height, width = size_hw
        y = torch.linspace(-1, 1, height, device=self._device)
        x = torch.linspace(-1, 1, width, device=self._device) * (width / height)
        places = torch.meshgrid(x, y, indexing="xy")
        points = torch.stack([*places, torch.ones_like(places[0])])
        seen = (matrix @ points.view(3, -1)).view(count, 3, height, width)
        grid = (seen[:, :2] / seen[:, 2:]).permute(0, 2, 3, 1)
        sharp = draw.random() < 0.5  # one for all of these: there are many batches
        return functional.grid_sample(
            canvas,
            grid,
            mode="nearest" if sharp else "bilinear",
            padding_mode="reflection",
            align_corners=False,
        )

    def _shadow(self, images: Tensor, masks: Tensor) -> Tensor:
        chosen = self._some(len(images), self._chances.shadow)
        if not len(chosen):
            return images
        at, draw = self._moved(chosen), self._rng
        shades = self._shades[self._moved(draw.integers(0, _SHADES, len(chosen)))].unsqueeze(1)
        height, width = images.shape[2:]
        hidden = functional.interpolate(
            shades.float() / 255, size=(height, width), mode="bilinear", align_corners=False
        )
        if draw.random() < 0.5:
            hidden = hidden.flip(3)
        if self._spared:
            spared = torch.isin(masks[at], masks.new_tensor(self._spared)).unsqueeze(1).float()
            side = 2 * max(1, round(0.012 * height)) + 1
            spared = functional.avg_pool2d(spared, side, stride=1, padding=side // 2)
            behind = self._moved(draw.random(len(chosen)) < 0.5).view(-1, 1, 1, 1)
            hidden = torch.where(behind, hidden * (1 - spared), hidden)
        tint = 1 + draw.uniform(-TINT, TINT, (len(chosen), 3))
        darkness = draw.uniform(*DARKNESS, (len(chosen), 1)) * tint
        images[at] *= 1 - hidden * self._moved(darkness).view(-1, 3, 1, 1)
        return images

    def _light(self, images: Tensor) -> Tensor:
        """As ``Appearance`` recolours: exposure, gamma, balance, contrast, saturation, hue."""
        count, draw, most = len(images), self._rng, ROBUST
        on = (draw.random(count) < self._chances.light)[:, None]
        gamma = np.exp(draw.uniform(-most.gamma, most.gamma, (count, 1)) * on)
        exposure = draw.uniform(-most.exposure, most.exposure, (count, 1))
        balance = draw.uniform(-most.balance, most.balance, (count, 3))
        gains = np.exp((exposure + balance) * on)
        contrast = 1 + draw.uniform(-most.contrast, most.contrast, (count, 1)) * on
        saturation = 1 + draw.uniform(-most.saturation, most.saturation, count) * on[:, 0]
        hue = np.radians(draw.uniform(-most.hue_deg, most.hue_deg, count)) * on[:, 0]
        levels = images.clamp_min(1e-6) ** self._per_frame(gamma) * self._per_frame(gains)
        levels = MIDDLE + self._per_frame(contrast) * (levels - MIDDLE)
        return _transform(levels.clamp_(0, 1), self._moved(colour_matrix(saturation, hue))).clamp_(
            0, 1
        )

    def _camera(self, images: Tensor) -> Tensor:
        count, height = len(images), images.shape[2]
        draw, most, scale = self._rng, ROBUST, height / REFERENCE_HEIGHT
        factor = self._chances.camera
        if len(chosen := self._some(count, factor * most.blur_chance)):
            sigmas = scale * draw.uniform(0.3, 1.0, len(chosen)) * most.blur_px
            at = self._moved(chosen)
            images[at] = blur(images[at], sigmas)
        if len(chosen := self._some(count, factor * most.motion_chance)):
            lengths = scale * draw.uniform(0.2, 1.0, len(chosen)) * most.motion_px
            at = self._moved(chosen)
            images[at] = smear(images[at], lengths, draw.uniform(0, math.pi, len(chosen)))
        if len(chosen := self._some(count, factor * most.noise_chance)):
            sigmas = math.sqrt(scale) * draw.uniform(0.1, 1.0, len(chosen)) * most.noise
            at = self._moved(chosen)
            images[at] += grain(images[at], sigmas / 255, generator=self._pixels)
        if height >= JPEG_FROM_HEIGHT and len(
            chosen := self._some(count, factor * most.jpeg_chance)
        ):
            qualities = draw.uniform(*most.jpeg_quality, len(chosen))
            at = self._moved(chosen)
            images[at] = compress(images[at].clamp_(0, 1), qualities)
        return images

    def _some(self, count: int, chance: float) -> NDArray[np.int64]:
        """Draw positions; on the host, since to ask the device how many there are is to wait."""
        return np.flatnonzero(self._rng.random(count) < chance)

    def _places(
        self, chosen: NDArray[np.int64], masks: Tensor, class_id: int
    ) -> tuple[Tensor, Tensor]:
        """Return positions on the device, and there where the class is, (n, 1, H, W)."""
        at = self._moved(chosen)
        return at, (masks[at] == class_id).unsqueeze(1)

    def _per_frame(self, values: NDArray[np.float64]) -> Tensor:
        return self._moved(values)[:, :, None, None]

    def _moved(self, values: NDArray[np.generic]) -> Tensor:
        """Return values on the device; fractions as float32."""
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        return to_device(torch.from_numpy(np.ascontiguousarray(values)), self._device)


def _transform(images: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the colours of each frame by its matrix, (N, 3, 3)."""
    return (matrices @ images.flatten(2)).view_as(images)
