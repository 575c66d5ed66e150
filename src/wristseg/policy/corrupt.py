"""Make the errors of a real model on perfect masks.

In: class ids of a simulator at the size of the observation, frame after frame, and a ``MaskNoise``.
Out: class ids with errors of the same kinds, sizes and lengths. Called by the Gymnasium wrapper and
by ``wristseg mask-noise``, which compares the result with the real thing.

Smooth random fields decide where: white noise blurred with a Gaussian, each step mixed with the one
before, so that errors last. An outline moves where the signed distances of two classes, each with
its field added, change places; pixels are confused where a field is highest. How long a field stays
on one side of its mean follows from its correlation from step to step: ``rho = cos(pi / length)``
(S. O. Rice, "Mathematical analysis of random noise", Bell System Technical Journal 23-24, 1944-45,
for a process in steps).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.policy.mask_errors import (
    NO_OBJECT,
    REACH_PX,
    class_distances,
    inner_distances,
)
from wristseg.policy.mask_noise import MaskNoise

__all__ = ["MaskCorruptor"]


class MaskCorruptor:
    """Corrupts the masks of one episode after the other.

    Args:
        noise: How the real model errs.
        seed: Of the random numbers.
    """

    def __init__(self, noise: MaskNoise, *, seed: int | None = None) -> None:
        self.noise = noise
        self._rng = np.random.default_rng(seed)
        self.reset()

    def reset(self, *, seed: int | None = None) -> None:
        """Begin an episode, and the random numbers anew where a seed is given."""
        noise = self.noise
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        count = len(noise.class_names)
        self._jitter = _Fields(self._rng, (count, *noise.size_hw), noise.flicker_frames)
        self._blobs = _Fields(self._rng, (count, *noise.size_hw), noise.flicker_frames)
        self._frame: int | None = None
        self._miss = _Event(self._rng, noise.missed_frames)
        # Several false objects may be there at a time; each slot holds one, half the time at most.
        slots = math.ceil(2.0 * noise.false)
        self._false = [_Event(self._rng, noise.false_frames) for _ in range(slots)]
        self._false_at: dict[int, tuple[int, int, int]] = {}
        self._kept, self._taken_for = 0.0, 0

    def __call__(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Corrupt the next mask of the episode.

        Args:
            ids: (h, w) uint8, class ids at the noise's size.

        Returns:
            (h, w) uint8, class ids, in memory of its own.

        Raises:
            ValueError: The mask has another shape or type, or ids of no class.
        """
        noise = self.noise
        if ids.shape != noise.size_hw or ids.dtype != np.uint8:
            raise ValueError(
                f"mask is {ids.shape} {ids.dtype}, the noise was fitted at {noise.size_hw} uint8"
            )
        if int(ids.max()) >= len(noise.class_names):
            raise ValueError(f"mask has the id {ids.max()}, of none of {noise.class_names}")
        if self._frame is None or self._rng.random() * noise.flicker_frames < 1.0:
            self._frame = self._frame_like(ids)
        blobs = self._blobs.step(float(noise.blob_px[self._frame]))
        corrupted = self._confuse(ids, blobs)
        if noise.object_id != NO_OBJECT:
            self._miss_object(ids, corrupted, blobs)
            self._add_false_objects(ids, corrupted)
        return self._move_outlines(corrupted)

    def _frame_like(self, ids: NDArray[np.uint8]) -> int:
        """Draw one of the real frames in which the classes take about as much of the picture."""
        noise = self.noise
        areas = np.bincount(ids.ravel(), minlength=len(noise.class_names)) / ids.size
        apart = np.abs(noise.areas - areas).sum(axis=1)
        nearest = np.argsort(apart, kind="stable")[: max(4, len(apart) // 8)]
        return int(self._rng.choice(nearest))

    def _confuse(self, ids: NDArray[np.uint8], blobs: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Give another class to as many pixels of each class as in one of the real frames."""
        noise = self.noise
        distances = class_distances(ids, len(noise.class_names))
        near = inner_distances(ids, distances) <= REACH_PX
        corrupted = ids.copy()
        shares = noise.shares[self._frame]
        for true_id, wrong_id in np.argwhere(shares.sum(axis=0)):
            own, distance, field = ids == true_id, distances[wrong_id], blobs[wrong_id]
            if wrong_id == noise.object_id:
                # What lies apart from the object is a false one, and made as such.
                if not np.isfinite(distance).any():
                    continue
                field = field - distance
            beyond = distance > REACH_PX
            for zone, pixels in enumerate((near, ~near)):
                count = round(shares[zone, true_id, wrong_id] * np.count_nonzero(own & pixels))
                lowest = _lowest_of_highest(field, own & pixels & beyond, count)
                # Within reach of the class there is no share of its own: go on as beyond.
                corrupted[own & (pixels | ~beyond) & (field >= lowest)] = wrong_id
        return corrupted

    def _miss_object(
        self, ids: NDArray[np.uint8], corrupted: NDArray[np.uint8], blobs: NDArray[np.float32]
    ) -> None:
        noise = self.noise
        pixels = np.count_nonzero(ids == noise.object_id)
        size = int(np.searchsorted(noise.missed_sizes, pixels, side="left"))
        missed = pixels > 0 and self._miss.step(noise.missed[size])
        if missed and self._miss.began:
            self._kept = float(self._rng.choice(noise.missed_kept))
            weights = noise.missed_as / noise.missed_as.sum()
            self._taken_for = int(self._rng.choice(len(weights), p=weights))
        if missed:
            own = np.flatnonzero(ids == noise.object_id)
            lost = len(own) - round(self._kept * len(own))
            corrupted.flat[_highest(blobs[noise.object_id], own, lost)] = self._taken_for

    def _add_false_objects(self, ids: NDArray[np.uint8], corrupted: NDArray[np.uint8]) -> None:
        noise = self.noise
        for slot, event in enumerate(self._false):
            there = event.step(noise.false / len(self._false))
            if event.began:
                region = noise.false_regions[self._rng.integers(len(noise.false_regions))]
                # Far enough from the true object not to be a part of it.
                apart = _disk_radius(region.pixels) + REACH_PX
                own = class_distances(ids, len(noise.class_names))[noise.object_id] > apart
                places = np.argwhere(own & (ids == region.under))
                if len(places):
                    row, column = places[self._rng.integers(len(places))]
                    self._false_at[slot] = int(row), int(column), region.pixels
            if not there:
                self._false_at.pop(slot, None)
        rows, columns = np.ogrid[: ids.shape[0], : ids.shape[1]]
        for row, column, pixels in self._false_at.values():
            distance = np.hypot(rows - row, columns - column)
            corrupted[distance <= _disk_radius(pixels)] = noise.object_id

    def _move_outlines(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        noise = self.noise
        fields = self._jitter.step(noise.jitter_px)
        if not noise.sigma_px.any() and not noise.bias_px.any():
            return ids
        distances = class_distances(ids, len(noise.class_names))
        inner = inner_distances(ids, distances)
        # Half a pixel: an outline runs between pixels, and distances are between their centres.
        signed = np.where(distances == 0.0, inner[None] - 0.5, 0.5 - distances)
        scores = np.clip(signed, -REACH_PX, REACH_PX)
        scores += noise.bias_px.astype(np.float32)[:, None, None]
        scores += noise.sigma_px.astype(np.float32)[:, None, None] * fields
        scores[distances > REACH_PX] = -np.inf
        return np.asarray(scores.argmax(axis=0), np.uint8)


class _Fields:
    """Smooth random fields with mean 0 and deviation 1 that change slowly."""

    def __init__(
        self, rng: np.random.Generator, shape: tuple[int, int, int], frames: float
    ) -> None:
        self._rng, self._shape = rng, shape
        # A field that is drawn anew in each step stays on one side for two steps on average.
        self._rho = np.float32(math.cos(math.pi / max(frames, 2.0)))
        self._white = rng.standard_normal(shape, np.float32)

    def step(self, length_px: float) -> NDArray[np.float32]:
        """Return the next fields, (C, H, W) float32, smooth over this length."""
        fresh = self._rng.standard_normal(self._shape, np.float32)
        self._white = self._rho * self._white + np.sqrt(1 - self._rho**2) * fresh
        reach = 2 * math.ceil(4.0 * length_px) + 1
        kernel = cv2.getGaussianKernel(reach, max(length_px, 0.3), cv2.CV_32F)
        smooth = [cv2.sepFilter2D(white, -1, kernel, kernel) for white in self._white]
        # What blurring leaves of a deviation of 1.
        return np.asarray(np.stack(smooth) / np.float32((kernel**2).sum()), np.float32)


class _Event:
    """Something that comes and goes, so that it is there in a given share of the steps."""

    def __init__(self, rng: np.random.Generator, length: float) -> None:
        self._rng = rng
        self._end = 1.0 / max(length, 1.0)
        self._there: bool | None = None
        self.began = False

    def step(self, share: float) -> bool:
        """Go on by a frame and say whether it is there; ``began`` says whether it is new."""
        chance = self._rng.random()
        share = min(share, 0.99)
        # From balance: as many beginnings as ends. A share above a half needs longer ones.
        end = min(self._end, (1.0 - share) / max(share, 1e-9))
        if self._there is None:
            self._there = self.began = chance < share
        elif self._there:
            self._there, self.began = chance >= end, False
        else:
            self._there = self.began = chance < end * share / (1.0 - share)
        return self._there


def _lowest_of_highest(values: NDArray[np.float32], inside: NDArray[np.bool_], count: int) -> float:
    """Return the lowest of the ``count`` highest values inside; infinity for none."""
    chosen = _highest(values, np.flatnonzero(inside), count)
    return float(values.flat[chosen].min()) if len(chosen) else math.inf


def _highest(
    values: NDArray[np.float32], places: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return the ``count`` of these flat places, or all, at which the values are highest."""
    count = min(count, len(places))
    if count <= 0:
        return places[:0]
    order = np.argpartition(-values.flat[places], count - 1)
    return np.asarray(places[order[:count]])


def _disk_radius(pixels: int) -> float:
    return math.sqrt(pixels / math.pi)
