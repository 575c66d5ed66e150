"""Stage ``wristseg mask-noise``: fit a model's errors, and show made ones beside real ones.

In: a model file, a labelled data set, clips. Out: a JSON file for ``wristseg.policy``'s wrapper, a
plot of real and made errors side by side, and a picture of masks. What the plot and the figures
compare was kept apart: fitted on every second frame, compared on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import atomic_path, git_commit, sha256_of, versions
from wristseg.classes import ClassTable
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.progress import with_progress
from wristseg.errors import DataError
from wristseg.evaluate.clips import find_clips
from wristseg.evaluate.noise_compare import Summary, made_pairs, summarise
from wristseg.evaluate.noise_config import MaskNoiseConfig
from wristseg.evaluate.noise_fit import Pair, fill_gaps, fit_noise, made_lengths
from wristseg.evaluate.noise_lengths import Lengths, measure_lengths
from wristseg.evaluate.objects import object_id_of
from wristseg.evaluate.sides import choose_frames, load_labelled
from wristseg.packed_file import model_path
from wristseg.policy.mask_errors import NO_OBJECT
from wristseg.policy.mask_noise import MaskNoise
from wristseg.policy.observation import PolicyObservation
from wristseg.predict.video import VideoReader

__all__ = ["FittedNoise", "fit_mask_noise"]

#: Fewer show neither how errors differ from frame to frame nor whether the fit holds.
_LEAST_FRAMES = 8
#: How often errors are made on each frame for the comparison; one draw alone varies much.
_DRAWS = 4


@dataclass(frozen=True)
class FittedNoise:
    """What a fit came to.

    Attributes:
        noise: The model of all frames.
        real: Errors of the model on the frames that were kept apart.
        made: Errors made on the same true masks, by a fit of the other frames.
        real_lengths: How long errors last on the clips.
        made_lengths: How long made ones last on a scene at rest.
        said: On which frames, for people.
        files: The JSON file, the plot, the picture.
    """

    noise: MaskNoise
    real: Summary
    made: Summary
    real_lengths: Lengths
    made_lengths: Lengths
    said: str
    files: tuple[Path, ...]


def fit_mask_noise(config: MaskNoiseConfig) -> FittedNoise:
    """Fit the errors of a model and compare them with made ones.

    Raises:
        UsageError: Options that cannot work, or it is not known where the data lies.
        DataError: Labels, images or clips are bad, or there are too few frames.
        CheckpointError: The model file cannot be used.
    """
    from wristseg.evaluate.noise_plot import masks_png, noise_png

    clips = find_clips(config.clip)
    model = PolicyObservation.load(config.checkpoint, device=config.device)
    labels = load_labelled(config, model.segmenter.info)
    chosen = choose_frames(labels, model.segmenter.info, side=config.side)
    pairs = _pairs(model, labels, chosen.frames)
    object_id = object_id_of(model.classes, None)
    object_id = NO_OBJECT if object_id is None else object_id
    lengths = measure_lengths((_clip_masks(model, path) for path in clips), object_id=object_id)
    shared: dict[str, Any] = {
        "class_names": model.classes.names,
        "object_id": object_id,
        "lengths": lengths,
        "seed": config.seed,
    }
    half = fit_noise(pairs[::2], origin={}, **shared)
    kept_apart = pairs[1::2]
    made = made_pairs(half, kept_apart * _DRAWS, seed=config.seed)
    count = len(model.classes)
    real_summary, made_summary = (
        summarise(found, num_classes=count, object_id=object_id) for found in (kept_apart, made)
    )
    origin = _origin(config, model, labels, chosen.said, (real_summary, made_summary))
    noise = fit_noise(pairs, origin=origin, **shared)
    result = FittedNoise(
        noise,
        real_summary,
        made_summary,
        lengths,
        made_lengths(half, kept_apart, seed=config.seed),
        chosen.said,
        (config.output, config.output.with_suffix(".png"), _masks_path(config.output)),
    )
    noise.save(config.output)
    _write(result.files[1], noise_png(result, model.classes))
    _write(result.files[2], masks_png(kept_apart, made, model.classes))
    return result


def _pairs(
    model: PolicyObservation, labels: LabelledDataset, frames: Sequence[LabelledFrame]
) -> list[Pair]:
    """Return true masks and the model's, at the size of the observation."""
    _check(labels, model.classes, len(frames))
    pairs, count = [], len(model.classes)
    for frame in with_progress(frames, total=len(frames), doing="looking for errors"):
        seen = model.encoder.resize(model.segmenter.predict_rgb(labels.image(frame)))
        label = model.encoder.resize_label(labels.mask(frame))
        pairs.append((fill_gaps(label, count), seen))
    return pairs


def _check(labels: LabelledDataset, classes: ClassTable, count: int) -> None:
    where = labels.layout.images_dir
    if labels.classes.names != classes.names:
        raise DataError(where, f"classes are {labels.classes.names}, the model's {classes.names}")
    if count < _LEAST_FRAMES:
        raise DataError(where, f"{count} frames, expected at least {_LEAST_FRAMES}; try --side all")


def _clip_masks(model: PolicyObservation, path: Path) -> NDArray[np.uint8]:
    with VideoReader(path) as video:
        shown = with_progress(video, total=video.declared_frames or 0, doing=path.name)
        masks = [model.encoder.resize(model.segmenter.predict_rgb(frame.rgb)) for frame in shown]
    if not masks:
        raise DataError(path, "no frame could be decoded")
    return np.stack(masks)


def _origin(
    config: MaskNoiseConfig,
    model: PolicyObservation,
    labels: LabelledDataset,
    said: str,
    compared: tuple[Summary, Summary],
) -> dict[str, Any]:
    return {
        "model": config.checkpoint.as_posix(),
        "model_sha256": sha256_of(model_path(config.checkpoint)),
        "contract": model.contract.to_dict(),
        "dataset_sha256": labels.sha256,
        "frames": said,
        "clips": [path.as_posix() for path in config.clip],
        "kept_apart": {
            name: summary.record(model.classes.names)
            for name, summary in zip(("real", "made"), compared, strict=True)
        },
        "seed": config.seed,
        "git_commit": git_commit(),
        "versions": versions(),
    }


def _masks_path(output: Path) -> Path:
    return output.with_name(f"{output.stem}_masks.png")


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
