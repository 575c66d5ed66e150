"""Stage ``wristseg obs-check``: what a policy gets of these frames, and whether that has drifted.

In: a model file and camera images, a golden file, or both. Out: the arrays of every stage, and what
differs from the golden file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import sha256_of
from wristseg.errors import DataError
from wristseg.images import read_image_rgb
from wristseg.observation import ObservationContract
from wristseg.packed_file import model_path
from wristseg.policy.config import ObsCheckConfig
from wristseg.policy.encoder import MaskEncoder
from wristseg.policy.golden import Golden, read_golden, write_golden
from wristseg.policy.stages import stages_of_masks
from wristseg.predict import Segmenter

__all__ = ["Checked", "check_observation"]

#: A camera's frame has brighter pixels; one that was divided by 255 has none.
_DARK = 1


@dataclass(frozen=True)
class Checked:
    """What a check came to.

    Attributes:
        encoder: Contract and classes that were followed.
        origin: Where the contract comes from, for people.
        stages: Array by stage; see ``policy.stages.STAGES``.
        notes: What is worth knowing and no error.
        drift: What differs from the golden file; empty where nothing does.
    """

    encoder: MaskEncoder
    origin: str
    stages: Mapping[str, NDArray[np.uint8]]
    notes: tuple[str, ...]
    drift: tuple[str, ...]


def check_observation(config: ObsCheckConfig) -> Checked:
    """Take frames through every stage; compare with a golden file, or write one.

    Raises:
        CheckpointError: The model file is bad, or the contract does not fit it.
        DataError: A frame or the golden file cannot be used.
        UsageError: Options that cannot work.
    """
    golden = None if config.golden is None else read_golden(config.golden)
    frames = [read_image_rgb(path) for path in config.frame]
    _check_sizes(config.frame, frames)
    segmenter = Segmenter.load(config.checkpoint, device=config.device)
    contract, origin = _contract(config, segmenter)
    encoder = MaskEncoder(contract, segmenter.classes)
    if not frames:
        assert golden is not None
        frames = list(golden.stages["frame"])
    masks = [segmenter.predict_rgb(frame) for frame in frames]
    stages = {"frame": np.stack(frames), "mask": np.stack(masks)}
    stages |= stages_of_masks(masks, encoder)
    sha256, drift, notes = sha256_of(model_path(config.checkpoint)), [], _notes(stages)
    if golden is not None:
        drift = golden.drift_from(encoder)
        drift += _prediction_drift(golden, stages, config.tolerance)
        if golden.model_sha256 != sha256:
            notes.append(
                f"the golden file is of another model file (SHA-256 {golden.model_sha256})"
            )
    if config.write_golden is not None:
        names = segmenter.classes.names
        write_golden(config.write_golden, Golden(contract, names, sha256, stages))
    return Checked(encoder, origin, stages, tuple(notes), tuple(drift))


def _contract(config: ObsCheckConfig, segmenter: Segmenter) -> tuple[ObservationContract, str]:
    contract = segmenter.info.observation_contract
    if config.observation is None:
        return contract, segmenter.info.observation_origin
    return segmenter.info.observation_of(config.observation), str(config.observation)


def _check_sizes(paths: Sequence[Path], frames: Sequence[NDArray[np.uint8]]) -> None:
    first = frames[0].shape[:2] if frames else ()
    problems = [
        f"{path.name} is {frame.shape[0]}x{frame.shape[1]}, {paths[0].name} is "
        f"{first[0]}x{first[1]} (h x w); give frames of one camera"
        for path, frame in zip(paths, frames, strict=True)
        if frame.shape[:2] != first
    ]
    if problems:
        raise DataError("--frame", problems)


def _notes(stages: Mapping[str, NDArray[np.uint8]]) -> list[str]:
    notes = [
        f"frame {i} has no value above {_DARK}: is it black, or was it divided by 255 before?"
        for i, frame in enumerate(stages["frame"])
        if int(frame.max()) <= _DARK
    ]
    if len(stages["frame"]) == 1:
        notes.append("one frame fills the stack; give several --frame to see their order")
    return notes


def _prediction_drift(
    golden: Golden, stages: Mapping[str, NDArray[np.uint8]], tolerance: float
) -> list[str]:
    """Compare frames and predicted masks with those of the golden file."""
    ours, theirs = stages["frame"], golden.stages["frame"]
    if ours.shape != theirs.shape or not np.array_equal(ours, theirs):
        return [
            f"frame: {ours.shape}, not the pixels of the golden file's {theirs.shape}; give the "
            "images it was written from, without compressing them again, or leave --frame out"
        ]
    differing = float((stages["mask"] != golden.stages["mask"]).mean())
    if differing > tolerance:
        return [
            f"mask: {differing:.3%} of the pixels have another class, at most {tolerance:.3%} may; "
            "another model, or a runtime that rounds otherwise (then --tolerance 0.001)"
        ]
    return []
