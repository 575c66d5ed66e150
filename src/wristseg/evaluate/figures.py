"""Every figure of an evaluation, each with its interval and the number of frames behind it.

In: an ``Evaluation``. Out: figures by name. All of them follow from counts per frame and a weight
per frame, so that a resample of the bootstrap is one more set of weights, and the same resamples
applied to two models give the interval of their difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.evaluate.bootstrap import Resampling, interval
from wristseg.evaluate.boundary import boundary_f
from wristseg.evaluate.frames import Evaluation, named_iou
from wristseg.metrics import class_iou, mean_iou

__all__ = ["HEADLINES", "Figure", "Tally", "figures_of"]

#: The figures over all classes, and what each is, for people.
HEADLINES = {
    "val/iou": "mean IoU over the classes that occur, at the network's size, as in training",
    "val/iou_named": "the same without class 0",
    "miou": "mean IoU over the classes that occur, at the frame's size",
    "miou_named": "the same without class 0",
    "boundary_f": "mean over classes without 0: share of outlines within 2 px of each other",
    "object/iou": "IoU of the object's pixels, at the frame's size",
    "object/found": "share of labelled objects that were found (IoU of at least 0.5)",
    "object/false": "share of frames with a region wrongly called the object",
    "object/centroid_px_median": "distance of the object's centre from the labelled one, px",
    "object/centroid_px_p95": "the same, 95th percentile",
}


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        value: NaN where it is not defined: a class that never occurs, no object.
        n: Number of frames it is made from.
        interval: Ends of the bootstrap interval; None where there is none.
    """

    value: float
    n: int
    interval: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; None for what is not defined."""
        low, high = self.interval or (None, None)
        value = self.value if math.isfinite(self.value) else None
        return {"value": value, "low": low, "high": high, "n": self.n}


@dataclass(frozen=True)
class Tally:
    """What was counted in N frames, stacked.

    Attributes:
        names: Class names.
        object_id: Class that is judged as an object, or None.
        network: (N, C, C) int64, pixel counts at the network's size.
        full: (N, C, C) int64, pixel counts at the frame's size.
        contours: (N, C, 4) int64.
        labelled: (N,) bool, the object is labelled.
        found: (N,) bool, and found.
        false: (N,) bool, something else is called the object.
        error_px: (N,) float64, distance of centroids; NaN where there is none.
    """

    names: tuple[str, ...]
    object_id: int | None
    network: NDArray[np.int64]
    full: NDArray[np.int64]
    contours: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    found: NDArray[np.bool_]
    false: NDArray[np.bool_]
    error_px: NDArray[np.float64]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Tally:
        """Stack the results of an evaluation."""
        results = evaluation.frames
        objects = [result.object for result in results if result.object is not None]
        return cls(
            names=evaluation.classes.names,
            object_id=evaluation.object_id,
            network=np.stack([result.network for result in results]),
            full=np.stack([result.full for result in results]),
            contours=np.stack([result.contours for result in results]),
            labelled=np.array([found.labelled for found in objects], bool),
            found=np.array([found.found for found in objects], bool),
            false=np.array([found.false_regions > 0 for found in objects], bool),
            error_px=np.array([found.error_px for found in objects], np.float64),
        )

    def values(self, weights: NDArray[np.int64]) -> dict[str, float]:
        """Return every figure over the frames, each counted as often as its weight says."""
        network, full, contours = (
            np.tensordot(weights, counts, axes=1)
            for counts in (self.network, self.full, self.contours)
        )
        f, iou = boundary_f(contours), class_iou(full)
        found = {
            "val/iou": mean_iou(network),
            "val/iou_named": named_iou(network),
            "miou": mean_iou(full),
            "miou_named": named_iou(full),
            "boundary_f": _mean(f[1:]),
        }
        if self.object_id is not None:
            found["object/iou"] = float(iou[self.object_id])
            found |= self._object_values(weights)
        for name, *values in zip(self.names, class_iou(network), iou, f, strict=True):
            found |= dict(zip(_of_class(name), map(float, values), strict=True))
        return found

    def _object_values(self, weights: NDArray[np.int64]) -> dict[str, float]:
        measured = np.isfinite(self.error_px)
        errors = np.repeat(self.error_px[measured], weights[measured])
        median, p95 = np.quantile(errors, [0.5, 0.95]) if len(errors) else (math.nan, math.nan)
        return {
            "object/found": _share(weights[self.found], weights[self.labelled]),
            "object/false": _share(weights[self.false], weights),
            "object/centroid_px_median": float(median),
            "object/centroid_px_p95": float(p95),
        }

    def frames_behind(self) -> dict[str, int]:
        """Return for each figure the number of frames that have a part in it."""
        total = len(self.full)
        behind = dict.fromkeys(("val/iou", "val/iou_named", "miou", "miou_named"), total)
        behind["boundary_f"] = total
        if self.object_id is not None:
            measured = int(np.isfinite(self.error_px).sum())
            behind |= {
                "object/iou": int(_occurs(self.full)[:, self.object_id].sum()),
                "object/found": int(self.labelled.sum()),
                "object/false": total,
                "object/centroid_px_median": measured,
                "object/centroid_px_p95": measured,
            }
        of_network, of_full = (_occurs(counts).sum(axis=0) for counts in (self.network, self.full))
        drawn = (self.contours.sum(axis=2) > 0).sum(axis=0)
        for name, *counts in zip(self.names, of_network, of_full, drawn, strict=True):
            behind |= dict(zip(_of_class(name), map(int, counts), strict=True))
        return behind


def figures_of(tally: Tally, resampling: Resampling) -> dict[str, Figure]:
    """Return every figure with its interval; per class they are called ``iou/<name>`` and so on."""
    behind = tally.frames_behind()
    values = tally.values(np.ones(len(tally.full), np.int64))
    draws = [tally.values(weights) for weights in resampling.weights]
    return {
        name: Figure(value, behind[name], interval(np.array([draw[name] for draw in draws])))
        for name, value in values.items()
    }


def _of_class(name: str) -> tuple[str, str, str]:
    return f"val/iou/{name}", f"iou/{name}", f"boundary_f/{name}"


def _occurs(confusions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for (N, C, C) counts in which frames a class is labelled or predicted: (N, C) bool."""
    return np.asarray(confusions.sum(axis=1) + confusions.sum(axis=2) > 0)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> float:
    """Return the sum of one over the sum of the other."""
    return float(part.sum() / whole.sum()) if whole.any() else math.nan
