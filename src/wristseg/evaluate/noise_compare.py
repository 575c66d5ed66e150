"""Real errors beside made ones, in the same figures.

In: true masks with real or made ones. Out: a ``Summary`` of each, for the plot and for the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.evaluate.noise_fit import Pair, errors_of, fill_ignored, outline_moments
from wristseg.metrics import class_iou, confusion_matrix
from wristseg.model_info import json_values
from wristseg.policy.corrupt import MaskCorruptor
from wristseg.policy.mask_noise import MaskNoise

__all__ = ["Summary", "made_pairs", "summarise"]


@dataclass(frozen=True)
class Summary:
    """Errors of a set of masks.

    Attributes:
        confusion: (C, C) int64, pixels, rows are true classes.
        moved_px: Of every pixel of an outline, how far it moved outwards.
        outline_bias_px: (C,), mean of that by class.
        outline_sigma_px: (C,), deviation of that by class.
        wrong: (N,), share of wrong pixels by frame.
        missed: Share of frames with the object in which it is missed; NaN without any.
        false: False objects per frame.
    """

    confusion: NDArray[np.int64]
    moved_px: NDArray[np.float64]
    outline_bias_px: NDArray[np.float64]
    outline_sigma_px: NDArray[np.float64]
    wrong: NDArray[np.float64]
    missed: float
    false: float

    @property
    def iou(self) -> NDArray[np.float64]:
        """(C,), IoU by class; NaN for one that never occurs."""
        return class_iou(self.confusion)

    def record(self, names: Sequence[str]) -> dict[str, Any]:
        """Return plain values for the JSON file."""
        plain: dict[str, Any] = json_values(
            {
                "frames": len(self.wrong),
                "iou": dict(zip(names, np.round(self.iou, 4).tolist(), strict=True)),
                "outline_bias_px": np.round(self.outline_bias_px, 3).tolist(),
                "outline_sigma_px": np.round(self.outline_sigma_px, 3).tolist(),
                "wrong_median": round(float(np.median(self.wrong)), 4),
                "wrong_p90": round(float(np.quantile(self.wrong, 0.9)), 4),
                "missed": round(self.missed, 4),
                "false": round(self.false, 4),
            }
        )
        return plain


def summarise(pairs: Sequence[Pair], *, num_classes: int, object_id: int) -> Summary:
    """Gather the errors of some masks.

    Args:
        pairs: True masks (255: counts nowhere) and those with errors.
        num_classes: C.
        object_id: Class that can be missed or false, or ``NO_OBJECT``.
    """
    errors = errors_of(pairs, num_classes=num_classes, object_id=object_id)
    bias, sigma = outline_moments(errors, num_classes)
    there = [found.missed for found in errors if np.isfinite(found.kept)]
    counted = [truth < num_classes for truth, _ in pairs]
    return Summary(
        confusion=np.sum(
            [confusion_matrix(seen, truth, num_classes) for truth, seen in pairs], axis=0
        ),
        moved_px=np.concatenate([moved for found in errors for moved in found.moved_px]),
        outline_bias_px=bias,
        outline_sigma_px=sigma,
        wrong=np.array(
            [
                (truth != seen)[inside].mean()
                for (truth, seen), inside in zip(pairs, counted, strict=True)
            ]
        ),
        missed=float(np.mean(there)) if there else float("nan"),
        false=sum(len(found.false_regions) for found in errors) / len(errors),
    )


def made_pairs(noise: MaskNoise, pairs: Sequence[Pair], *, seed: int) -> list[Pair]:
    """Make errors on true masks; each begins an episode of its own."""
    corruptor, made = MaskCorruptor(noise, seed=seed), []
    for truth, _ in pairs:
        corruptor.reset()
        made.append((truth, corruptor(fill_ignored(truth, len(noise.class_names)))))
    return made
