"""Fit a mask-noise model to a real model's errors.

In: true masks and the model's, at the size of its observation. Out: a ``MaskNoise``. What is
counted is taken over as it is (shares of confused pixels, missed and false objects); lengths come
from how often errors begin and end along a line; and the wavering of outlines is set so that masks
corrupted with it waver as much as the real ones, since two outlines that meet move each other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.evaluate.noise_lengths import Lengths, measure_lengths
from wristseg.policy.corrupt import MaskCorruptor
from wristseg.policy.mask_errors import REACH_PX, FrameErrors, class_distances, frame_errors
from wristseg.policy.mask_noise import MaskNoise

__all__ = [
    "Pair",
    "errors_of",
    "fill_gaps",
    "fill_ignored",
    "fit_noise",
    "made_lengths",
    "outline_moments",
]

#: A true mask and the model's, (h, w) uint8 each.
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]

#: Frames whose shares are kept; more make the file larger and say little more.
_KEPT_FRAMES = 64
_CALIBRATION_FRAMES, _CALIBRATION_ROUNDS = 32, 4
_MAX_SIGMA_PX = REACH_PX
_MAX_BLOB_PX = 20.0
_MAX_FLICKER_FRAMES = 30.0
#: A scene at rest is watched for so long, and so many scenes.
_WATCHED_FRAMES, _WATCHED_SCENES = 60, 4
_APART_PX = 6.0
#: Small objects are missed more often; more parts would hold too few frames each.
_SIZES = 3
#: A gap between drawn outlines is narrower than this, pixels of the observation.
_MAX_GAP_PX = 3.0
_IGNORED = 255


def fill_gaps(label: NDArray[np.uint8], num_classes: int) -> NDArray[np.uint8]:
    """Give pixels that nobody drew the class of what is nearest, or 255 where nothing is near.

    A simulator's masks have no gaps between outlines, so those of drawn labels are none of the
    model's errors.

    Args:
        label: (H, W) uint8, class ids, 0 where nobody drew, or 255.
        num_classes: C.

    Returns:
        (H, W) uint8, class ids from 1 on, or 255.
    """
    distances = class_distances(np.where(label == 0, _IGNORED, label), num_classes)
    nearest = distances.argmin(axis=0).astype(np.uint8)
    near = distances.min(axis=0) <= _MAX_GAP_PX
    return np.asarray(np.where(near & (label != _IGNORED), nearest, _IGNORED), np.uint8)


def errors_of(pairs: Sequence[Pair], *, num_classes: int, object_id: int) -> list[FrameErrors]:
    """Take the errors of several masks apart."""
    return [
        frame_errors(truth, seen, num_classes=num_classes, object_id=object_id)
        for truth, seen in pairs
    ]


def fit_noise(
    pairs: Sequence[Pair],
    *,
    class_names: tuple[str, ...],
    object_id: int,
    lengths: Lengths,
    seed: int,
    origin: Mapping[str, Any],
) -> MaskNoise:
    """Fit a mask-noise model.

    Args:
        pairs: True masks (255: counts nowhere) and the model's, at least one.
        class_names: Classes by id.
        object_id: Class that can be missed or false, or ``NO_OBJECT``.
        lengths: How long errors last.
        seed: Of the random numbers while outlines are set.
        origin: What stands in the file about where it comes from.
    """
    count = len(class_names)
    errors = errors_of(pairs, num_classes=count, object_id=object_id)
    missed = [found for found in errors if found.missed]
    missed_shares, missed_sizes = _missed_by_size(errors)
    kept = _typical_frames(errors)
    regions = tuple(region for found in errors for region in found.false_regions)
    bias, sigma = outline_moments(errors, count)
    noise = MaskNoise(
        class_names=class_names,
        size_hw=(pairs[0][0].shape[0], pairs[0][0].shape[1]),
        object_id=object_id,
        bias_px=bias,
        sigma_px=np.minimum(sigma * math.sqrt(2.0), _MAX_SIGMA_PX),
        jitter_px=_jitter_length(errors),
        shares=np.nan_to_num(np.stack([found.shares for found in kept])),
        areas=np.stack([found.areas for found in kept]),
        blob_px=_blob_lengths(kept),
        missed=missed_shares,
        missed_sizes=missed_sizes,
        missed_kept=tuple(found.kept for found in missed),
        missed_as=np.sum([found.taken_for for found in missed], axis=0, dtype=np.float64)
        + np.zeros(count),
        false=len(regions) / len(errors),
        false_regions=regions,
        flicker_frames=lengths.flicker_frames,
        missed_frames=lengths.missed_frames,
        false_frames=lengths.false_frames,
        origin=origin,
    )
    noise = _with_real_outlines(noise, pairs, (bias, sigma), seed=seed)
    return _with_real_length(noise, pairs, lengths, seed=seed)


def outline_moments(
    errors: Sequence[FrameErrors], num_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of how far outlines moved, by class: two (C,), 0 for none."""
    mean, deviation = np.zeros(num_classes), np.zeros(num_classes)
    for class_id in range(num_classes):
        moved = np.concatenate([found.moved_px[class_id] for found in errors])
        if len(moved):
            mean[class_id], deviation[class_id] = moved.mean(), moved.std()
    return mean, deviation


def _with_real_outlines(
    noise: MaskNoise,
    pairs: Sequence[Pair],
    real: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    seed: int,
) -> MaskNoise:
    """Set bias and sigma by trying: corrupt true masks, measure, correct."""
    spread = np.linspace(0, len(pairs) - 1, min(_CALIBRATION_FRAMES, len(pairs))).astype(int)
    truths = [fill_ignored(pairs[i][0], len(noise.class_names)) for i in spread]
    count = len(noise.class_names)
    for turn in range(_CALIBRATION_ROUNDS):
        corruptor = MaskCorruptor(noise, seed=seed + turn)
        made = []
        for truth in truths:
            corruptor.reset()
            made.append((truth, corruptor(truth)))
        errors = errors_of(made, num_classes=count, object_id=noise.object_id)
        bias, sigma = outline_moments(errors, count)
        occurs = sigma > 0.0
        ratio = np.divide(real[1], sigma, out=np.ones(count), where=sigma > 0.0)
        wanted = noise.bias_px + real[0] - bias
        # Only differences between classes move outlines.
        wanted = np.where(occurs, wanted - wanted[occurs].mean() if occurs.any() else 0.0, 0.0)
        noise = dataclasses.replace(
            noise,
            bias_px=np.clip(wanted, -REACH_PX, REACH_PX),
            sigma_px=np.clip(noise.sigma_px * ratio, 0.0, _MAX_SIGMA_PX),
        )
    return noise


def fill_ignored(truth: NDArray[np.uint8], num_classes: int) -> NDArray[np.uint8]:
    """Give pixels that count nowhere the class of what is nearest: (H, W) uint8, class ids."""
    distances = class_distances(truth, num_classes)
    return np.asarray(distances.argmin(axis=0), np.uint8)


def made_lengths(noise: MaskNoise, pairs: Sequence[Pair], *, seed: int) -> Lengths:
    """Measure how long made errors last, on scenes at rest."""
    corruptor = MaskCorruptor(noise, seed=seed)

    def watched(truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
        corruptor.reset()
        scene = fill_ignored(truth, len(noise.class_names))
        return np.stack([corruptor(scene) for _ in range(_WATCHED_FRAMES)])

    spread = np.linspace(0, len(pairs) - 1, min(_WATCHED_SCENES, len(pairs))).astype(int)
    return measure_lengths((watched(pairs[i][0]) for i in spread), object_id=noise.object_id)


def _with_real_length(
    noise: MaskNoise, pairs: Sequence[Pair], lengths: Lengths, *, seed: int
) -> MaskNoise:
    """Set how slowly errors change, by trying: short stays alone are counted, on both sides."""
    if not lengths.excursions.any():
        return noise
    for turn in range(_CALIBRATION_ROUNDS):
        made = made_lengths(noise, pairs, seed=seed + turn)
        ratio = lengths.flicker_frames / made.flicker_frames
        flicker = float(np.clip(noise.flicker_frames * ratio, 1.0, _MAX_FLICKER_FRAMES))
        noise = dataclasses.replace(noise, flicker_frames=flicker)
    return noise


def _typical_frames(errors: Sequence[FrameErrors]) -> list[FrameErrors]:
    """Keep some of the frames, from those with few errors to those with many."""
    order = sorted(errors, key=lambda found: float(np.nansum(found.shares)))
    # Midpoints of equal parts: neither the best nor the worst frame counts double.
    kept = min(_KEPT_FRAMES, len(order))
    return [order[int((i + 0.5) * len(order) / kept)] for i in range(kept)]


def _missed_by_size(
    errors: Sequence[FrameErrors],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return how often small, middling and large objects are missed, and the sizes between them."""
    there = sorted(
        (found for found in errors if not math.isnan(found.kept)),
        key=lambda found: found.object_pixels,
    )
    if not there:
        return (0.0,), ()
    parts = [part for part in np.array_split(np.arange(len(there)), _SIZES) if len(part)]
    shares = tuple(sum(there[i].missed for i in part) / len(part) for part in parts)
    sizes = tuple(there[part[-1]].object_pixels + 0.5 for part in parts[:-1])
    return shares, sizes


def _blob_lengths(errors: Sequence[FrameErrors]) -> NDArray[np.float64]:
    """Return the length of each frame's blobs, of those without any the usual one."""
    lengths = np.array([found.blob_px for found in errors])
    known = lengths[np.isfinite(lengths)]
    usual = float(np.median(known)) if len(known) else 1.0
    return np.asarray(np.clip(np.nan_to_num(lengths, nan=usual), 0.5, _MAX_BLOB_PX))


def _jitter_length(errors: Sequence[FrameErrors]) -> float:
    """Return over which length outlines waver together, from pixels that are 6 px apart.

    White noise blurred with a Gaussian of deviation s correlates as exp(-r^2 / (4 s^2)).
    """
    together: list[NDArray[np.float64]] = []
    alone: list[NDArray[np.float64]] = []
    for found in errors:
        for moved, xy in zip(found.moved_px, found.outline_xy, strict=True):
            if len(moved) < 2:
                continue
            centred = moved - moved.mean()
            apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
            first, second = np.nonzero(np.abs(apart - _APART_PX) <= 0.5)
            together.append(centred[first] * centred[second])
            alone.append(centred**2)
    if not any(map(len, together)):
        return 1.0
    # Whole pixels add a twelfth that does not correlate.
    variance = max(float(np.concatenate(alone).mean()) - 1.0 / 12.0, 1e-9)
    correlation = float(np.concatenate(together).mean()) / variance
    if correlation <= 0.0:
        return 1.0
    spread = -4.0 * math.log(min(correlation, 0.95))
    return float(np.clip(_APART_PX / math.sqrt(spread), 1.0, 8.0))
