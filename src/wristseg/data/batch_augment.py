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
    GREY,
    JPEG_FROM_HEIGHT,
    MIDDLE,
    REFERENCE_HEIGHT,
    ROBUST,
    colour_matrix,
)
from wristseg.data.batch_camera import blur, compress, grain, smear
from wristseg.data.batch_patterns import PatternMaker, seen_through
from wristseg.data.frame_pool import moved
from wristseg.data.lamps import draw_lamp
from wristseg.data.shadows import DARKNESS, TINT, Shadows, draw_shade

__all__ = ["BatchAugmentation", "Chances"]

#: Height and width of the shadows and lamps that batches choose from.
_VARIANT_HW = (120, 160)

#: Natural logarithms of the gains of the three channels of a recoloured class, at most.
_GAIN = 0.5
#: How strongly a pattern shows; the class's own light and shade stay in any case.
_COVER = (0.3, 1.0)
#: Share of the recoloured classes that are painted in one colour, and the darkest grey that still
#: tells light from shade there.
_PAINTED, _DARKEST = 0.4, 0.12
#: Classes that may show what other frames show: the object could be part of any other.
_SURROUNDINGS = ("table", "background")
#: Height of a frame as a share of its width as it was drawn; 84x84 is such a frame, squeezed.
_ASPECT = 3 / 4
#: How far a camera is turned up or down, to the sides and about its view, degrees.
_TURN_DEG = (10.0, 10.0, 18.0)
#: Vertical field of view of that camera, degrees.
_FOVY_DEG = (50.0, 100.0)
#: Light that is left where a lamp's does not come, natural logarithm.
_UNLIT = (math.log(0.08), math.log(0.7))
#: Share of the light that is taken away in the core of the darkest shadows.
_DARKEST_SHADOW = 0.92


@dataclass(frozen=True)
class Chances:
    """Shares of frames, or of classes of a frame, that something is done to, 0 to 1.

    Attributes:
        mirror: Frames mirrored left and right.
        crop: Frames of which a part is kept.
        turn: Frames that are rotated.
        aim: Frames whose camera is turned, in all directions.
        look: Frames whose classes may change their look at all.
        recolour: Classes of these whose hue and gains are turned.
        pattern: Classes of these that get a pattern.
        shadow: Frames that a shadow falls on.
        lamp: Frames whose light is uneven.
        light: Frames whose exposure, contrast and colours are changed.
        camera: Factor on the chances of blur, smear, noise and JPEG.
    """

    mirror: float = 0.5
    crop: float = 0.7
    turn: float = 0.6
    aim: float = 0.4
    look: float = 0.75
    recolour: float = 0.5
    pattern: float = 0.4
    shadow: float = 0.45
    lamp: float = 0.3
    light: float = 1.0
    camera: float = 1.0


class BatchAugmentation:
    """Augments batches on a device.

    Args:
        classes: Names of the classes; table and cube are what shadows of an arm fall on.
        device: Where batches lie.
        seed: What is drawn follows from it.
        chances: How often each thing is done.
        variants: Shadows, and as many lamps, that are drawn once for batches to choose from.
    """

    def __init__(
        self,
        classes: ClassTable,
        *,
        device: torch.device,
        seed: int,
        chances: Chances | None = None,
        variants: int = 1024,
    ) -> None:
        self._chances = chances or Chances()
        self._device = device
        self._rng = np.random.default_rng(seed)
        self._pixels = torch.Generator(device).manual_seed(seed)
        self._num_classes = len(classes)
        self._spared = Shadows.on(classes, 1.0).spared_ids
        self._patterns = PatternMaker(device, rng=self._rng, pixels=self._pixels)
        named = (classes.id_of(name) for name in _SURROUNDINGS)
        self._surroundings = [class_id for class_id in named if class_id is not None]
        self._shades, self._lamps = (
            moved(np.stack([draw(self._rng, _VARIANT_HW) for _ in range(variants)]), device)
            for draw in (draw_shade, draw_lamp)
        )

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
        changed = self._light(self._lamp(self._shadow(changed, seen)))
        changed = self._camera(changed).mul_(255).round_().clamp_(0, 255).div_(255)
        return changed, seen

    def _warp(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Crop, rotate and mirror, and turn the camera; one sampling, as in ``data.augment``."""
        count = len(images)
        draw, chances = self._rng, self._chances
        kept = np.where(draw.random(count) < chances.crop, draw.uniform(0.6, 1.0, count), 1.0)
        ratio = np.where(kept < 1.0, np.exp(draw.uniform(-0.1, 0.1, count)), 1.0)
        sides = np.minimum(np.sqrt(np.stack([kept * ratio, kept / ratio])), 1.0)  # of x and y
        shift = draw.uniform(-1.0, 1.0, (2, count)) * (1.0 - sides)
        angle = np.radians(draw.uniform(-10.0, 10.0, count)) * (draw.random(count) < chances.turn)
        scale_x = sides[0] * np.where(draw.random(count) < chances.mirror, -1.0, 1.0)
        cos, sin, nil = np.cos(angle), np.sin(angle), np.zeros(count)
        rows = np.array(
            [
                [scale_x * cos, -scale_x * sin * _ASPECT, shift[0]],
                [sides[1] * sin / _ASPECT, sides[1] * cos, shift[1]],
                [nil, nil, nil + 1.0],
            ]
        )
        aimed = _homographies(draw, count)
        aimed[draw.random(count) >= chances.aim] = np.eye(3)
        grid = seen_through(self._moved(aimed @ np.moveaxis(rows, -1, 0)), images.shape[2:])
        # What a camera would see there is not known; neither way to fill it is true.
        outside = ("zeros", "reflection")[int(draw.integers(2))]
        seen = functional.grid_sample(images, grid, padding_mode=outside, align_corners=False)
        # Counted from 1, so that 0 is what lies outside.
        from_one = masks.unsqueeze(1).float() + 1
        from_one = functional.grid_sample(from_one, grid, mode="nearest", align_corners=False)
        ids = torch.where(from_one > 0, from_one - 1, IGNORE_INDEX).squeeze(1).to(torch.uint8)
        return seen, ids

    def _recolour(self, images: Tensor, masks: Tensor, varied: NDArray[np.int64]) -> Tensor:
        """Multiply the colours of classes by matrices, all at a time: a GPU waits for launches."""
        frames, ids = self._classes_of(varied, self._chances.recolour)
        count, (height, width) = len(frames), masks.shape[1:]
        if not count:
            return images
        gains = np.exp(self._rng.uniform(-_GAIN, _GAIN, (count, 3, 1)))
        turned = gains * colour_matrix(1.0, self._rng.uniform(-math.pi, math.pi, count))
        painted = self._moved(self._rng.random(count) < _PAINTED).view(-1, 1, 1)
        at = self._moved(frames), self._moved(ids)
        matrices = torch.eye(3, device=self._device).repeat(len(images), self._num_classes, 1, 1)
        paint = self._paints(count, self._brightness(images, masks)[at])
        matrices[at] = torch.where(painted, paint, self._moved(turned))
        # Pixels without a label take class 0, which nothing is done to.
        places = torch.where(masks < self._num_classes, masks, 0).long().view(len(images), -1, 1)
        of_pixel = matrices.flatten(2).gather(1, places.expand(-1, -1, 9))
        rgb = images.permute(0, 2, 3, 1).reshape(len(images), -1, 1, 3)
        changed = (of_pixel.view(*rgb.shape[:2], 3, 3) * rgb).sum(dim=3).clamp_(0, 1)
        return changed.view(-1, height, width, 3).permute(0, 3, 1, 2).contiguous()

    def _brightness(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return (N, classes): the mean grey of each class, 0 where there is none of it."""
        ids = torch.arange(self._num_classes, device=self._device).view(1, -1, 1)
        inside = (masks.flatten(1).unsqueeze(1) == ids).float()
        levels = (images * self._moved(GREY).view(1, 3, 1, 1)).sum(dim=1).flatten(1)
        total, pixels = (inside @ torch.stack([levels, torch.ones_like(levels)], dim=2)).unbind(2)
        return total / pixels.clamp_min(1)

    def _paints(self, count: int, brightness: Tensor) -> Tensor:
        """Return (count, 3, 3) that make a class one colour, any of them, with its shades."""
        colours = self._rng.random((count, 3, 1)) * self._rng.uniform(0.25, 1.3, (count, 1, 1))
        grey = self._moved(GREY).view(1, 1, 3)
        return self._moved(colours) * grey / brightness.clamp_min(_DARKEST).view(-1, 1, 1)

    def _cover(self, images: Tensor, masks: Tensor, varied: NDArray[np.int64]) -> Tensor:
        """Multiply classes by a pattern around 1, so that their shadows stay."""
        frames, ids = self._classes_of(varied, self._chances.pattern)
        around = np.isin(ids, self._surroundings)
        factor = torch.ones_like(images)
        for chosen, shown in ((around, images), (~around, None)):
            if not (count := int(chosen.sum())):
                continue
            share = self._moved(self._rng.uniform(*_COVER, count)).view(-1, 1, 1, 1)
            pattern = self._patterns.draw(count, images.shape[2:], frames=shown)
            at = self._moved(frames[chosen])
            inside = (masks[at] == self._moved(ids[chosen]).view(-1, 1, 1)).unsqueeze(1)
            # A pixel has one class, so that no two of these meet.
            factor.index_add_(0, at, share * (2 * pattern - 1) * inside)
        return (images * factor).clamp_(0, 1)

    def _shadow(self, images: Tensor, masks: Tensor) -> Tensor:
        chosen = self._some(len(images), self._chances.shadow)
        if not len(chosen):
            return images
        at, draw, count = self._moved(chosen), self._rng, len(chosen)
        size_hw = images.shape[2:]
        hidden = self._chosen(self._shades, count, size_hw)
        if draw.random() < 0.3:  # for all of these, as elsewhere: batches are many
            hidden = torch.maximum(hidden, self._chosen(self._shades, count, size_hw))
        height = size_hw[0]
        if self._spared:
            spared = torch.isin(masks[at], masks.new_tensor(self._spared)).unsqueeze(1).float()
            side = 2 * max(1, round(0.012 * height)) + 1
            spared = functional.avg_pool2d(spared, side, stride=1, padding=side // 2)
            behind = self._moved(draw.random(count) < 0.5).view(-1, 1, 1, 1)
            hidden = torch.where(behind, hidden * (1 - spared), hidden)
        tint = 1 + draw.uniform(-TINT, TINT, (count, 3))
        darkness = draw.uniform(DARKNESS[0], _DARKEST_SHADOW, (count, 1)) * tint
        images[at] *= 1 - hidden * self._moved(darkness.clip(max=1.0)).view(-1, 3, 1, 1)
        return images

    def _lamp(self, images: Tensor) -> Tensor:
        """Light a part of the frame; the camera's exposure makes up for some of what is lost."""
        chosen = self._some(len(images), self._chances.lamp)
        if not len(chosen):
            return images
        at, draw, count = self._moved(chosen), self._rng, len(chosen)
        light = self._chosen(self._lamps, count, images.shape[2:])
        left = np.exp(draw.uniform(*_UNLIT, (count, 1)) + draw.normal(0.0, 0.08, (count, 3)))
        unlit = self._moved(left).view(-1, 3, 1, 1)
        light = unlit + (1 - unlit) * light
        share = self._moved(draw.uniform(0.0, 1.0, count)).view(-1, 1, 1, 1)
        exposure = light.mean(dim=(1, 2, 3), keepdim=True) ** -share
        images[at] = (images[at] * light * exposure).clamp_(0, 1)
        return images

    def _chosen(self, variants: Tensor, count: int, size_hw: Sequence[int]) -> Tensor:
        """Return (count, 1, H, W), 0 to 1: some of those drawn once; half the calls mirror them."""
        chosen = self._moved(self._rng.integers(0, len(variants), count))
        wide = functional.interpolate(
            variants[chosen].unsqueeze(1).float() / 255,
            size=tuple(size_hw),
            mode="bilinear",
            align_corners=False,
        )
        return wide.flip(3) if self._rng.random() < 0.5 else wide

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

    def _classes_of(
        self, varied: NDArray[np.int64], chance: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw pairs of a frame's position and one of its classes, (n,) each."""
        drawn = self._rng.random((len(varied), self._num_classes - 1)) < chance
        rows, columns = np.nonzero(drawn)
        return varied[rows], columns + 1

    def _per_frame(self, values: NDArray[np.float64]) -> Tensor:
        return self._moved(values)[:, :, None, None]

    def _moved(self, values: NDArray[np.generic]) -> Tensor:
        return moved(values, self._device)


def _homographies(draw: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return (count, 3, 3): what cameras see that are turned where they stand.

    A camera that only turns sees the same points along other rays, so that depth plays no part.
    Coordinates are -1 to 1 across the frame.
    """
    up, side, roll = (np.radians(draw.uniform(-most, most, count)) for most in _TURN_DEG)
    turned = _rotations(0, up) @ _rotations(1, side) @ _rotations(2, roll)
    reach = np.tan(np.radians(draw.uniform(*_FOVY_DEG, count)) / 2)
    rays = np.stack([reach / _ASPECT, reach, np.ones(count)], axis=1)
    return np.asarray(turned * rays[:, None, :] / rays[:, :, None])


def _rotations(axis: int, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3, 3), about x, y or z."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turned = np.tile(np.eye(3), (len(angles), 1, 1))
    turned[:, first, first] = turned[:, second, second] = np.cos(angles)
    turned[:, second, first] = np.sin(angles)
    turned[:, first, second] = -np.sin(angles)
    return turned


def _transform(images: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the colours of each frame by its matrix, (N, 3, 3)."""
    return (matrices @ images.flatten(2)).view_as(images)
