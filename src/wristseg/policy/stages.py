"""The way of a frame to an observation, stage by stage, to be looked at and compared.

In: camera frames, or masks. Out: the arrays after each stage. What a golden file holds, and what
``wristseg obs-check`` prints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.observation import ObservationContract
from wristseg.policy.encoder import FrameStack, MaskEncoder

__all__ = ["AFTER_MASK", "STAGES", "describe", "stages_of_masks"]

#: Names of the stages in order, and what each array is; N frames, oldest first.
STAGES = {
    "frame": "(N, H, W, 3), camera frames, RGB",
    "mask": "(N, H, W), the model's class ids at the frame's size",
    "resized": "(N, h, w), the same, cut and resized with nearest",
    "mapped": "(N, h, w), ids of the policy",
    "channels": "(N, C, h, w), one frame of the observation each",
    "observation": "(N, stack, C, h, w), after reset with the first and step with each other one",
}

#: Stages that follow from the masks and the contract alone, without any model.
AFTER_MASK = ("resized", "mapped", "channels", "observation")


def stages_of_masks(
    masks: Sequence[NDArray[np.uint8]], encoder: MaskEncoder
) -> dict[str, NDArray[np.uint8]]:
    """Return the arrays of every stage that follows a mask.

    Args:
        masks: (H, W) uint8 class ids, at least one, oldest first.
        encoder: Of the contract.

    Raises:
        ValueError: A mask has another shape or type, or ids of no class.
    """
    resized = [encoder.resize(mask) for mask in masks]
    mapped = [encoder.map(mask) for mask in resized]
    channels = [encoder.lay_out(mask) for mask in mapped]
    stack = FrameStack(encoder.contract.stack)
    seen = [stack.reset(channels[0]), *(stack.step(frame) for frame in channels[1:])]
    arrays = (resized, mapped, channels, seen)
    return {name: np.stack(array) for name, array in zip(AFTER_MASK, arrays, strict=True)}


def describe(
    name: str, array: NDArray[np.uint8], contract: ObservationContract, classes: ClassTable
) -> str:
    """Say shape, type and histogram of a stage in one line.

    >>> from wristseg.classes import DEFAULT_CLASSES
    >>> describe("mask", np.zeros((1, 2, 2), np.uint8), ObservationContract(), DEFAULT_CLASSES)
    'mask         (1, 2, 2) uint8   0 unlabeled 100.0%'
    """
    shape = f"({', '.join(map(str, array.shape))})"
    return f"{name:<12} {shape} {array.dtype}   {_histogram(name, array, contract, classes)}"


def _histogram(
    name: str, array: NDArray[np.uint8], contract: ObservationContract, classes: ClassTable
) -> str:
    if name == "frame":
        means = ", ".join(f"{mean:.1f}" for mean in array.reshape(-1, 3).mean(axis=0))
        return f"values {array.min()} to {array.max()}, mean of R, G, B: {means}"
    legend = _legend(name, contract, classes)
    counts = np.bincount(array.ravel(), minlength=256)
    parts = [
        f"{value}{' ' + legend[value] if value in legend else ''} {counts[value] / array.size:.1%}"
        for value in map(int, np.flatnonzero(counts))
    ]
    return ", ".join(parts)


def _legend(name: str, contract: ObservationContract, classes: ClassTable) -> dict[int, str]:
    """Return what the values of a stage mean."""
    if name in {"mask", "resized"}:
        return dict(enumerate(classes.names))
    if name in {"channels", "observation"} and contract.channels == "one-hot":
        return {0: "off", contract.highest(classes): "on"}
    levels = contract.levels(classes)
    merged: dict[int, str] = {}
    for class_name, policy_id in zip(classes.names, contract.policy_ids(classes), strict=True):
        value = int(policy_id if name == "mapped" else levels[policy_id])
        merged[value] = f"{merged[value]}+{class_name}" if value in merged else class_name
    return merged
