"""Judge one class as a robot does that reaches for it: is the object found, and where?

Per frame, over the pixels of the object's class (``cube`` unless another is named):

- **labelled**: the label covers at least ``MIN_SHARE`` of the frame, a square of 12 px at 640x480.
  A label smaller than that is neither found nor missed.
- **found**: label and prediction overlap with an IoU of at least ``FOUND_IOU``, the threshold of
  Pascal VOC (Everingham et al., IJCV 2010); **missed**: labelled and not found.
- **false**: a connected region of the prediction, of at least that size, that touches no pixel of
  the label. A frame may have a found object and a false one: a shadow beside the cube.
- **centroid error**: distance between the mean positions of all labelled and all predicted pixels
  in pixels of the frame, where both are large enough. It counts found or not, as the robot goes
  there in either case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX, ClassTable
from wristseg.errors import UsageError

__all__ = [
    "FOUND_IOU",
    "MIN_SHARE",
    "ObjectResult",
    "centroid_xy",
    "judge_object",
    "least_pixels",
    "object_id_of",
]

FOUND_IOU = 0.5
MIN_SHARE = 1 / 2000

_DEFAULT_OBJECT = "cube"


@dataclass(frozen=True)
class ObjectResult:
    """The object in one frame.

    Attributes:
        labelled: The label holds it, large enough to be judged.
        too_small: The label holds a smaller part of it.
        found: It is labelled and was found.
        false_regions: Regions called the object that touch no labelled pixel of it.
        error_px: Distance of the centroids in pixels of the frame; NaN where one is missing.
    """

    labelled: bool
    too_small: bool
    found: bool
    false_regions: int
    error_px: float


def object_id_of(classes: ClassTable, name: str | None) -> int | None:
    """Return the id of the object's class; None where none is named and there is no cube.

    Raises:
        UsageError: There is no class of that name.
    """
    class_id = classes.id_of(name or _DEFAULT_OBJECT)
    if class_id is None and name is not None:
        names = ", ".join(classes.names)
        raise UsageError(f"--object-class {name}: the model's classes are {names}")
    return class_id


def least_pixels(frame_hw: tuple[int, ...]) -> int:
    """Return from how many pixels on something in a frame of this size counts as an object."""
    return max(1, math.ceil(frame_hw[0] * frame_hw[1] * MIN_SHARE))


def judge_object(
    prediction: NDArray[np.uint8], label: NDArray[np.uint8], class_id: int
) -> ObjectResult:
    """Judge the object in one frame.

    Args:
        prediction: (H, W) uint8, class ids.
        label: (H, W) uint8, class ids or 255, whose pixels do not count.
        class_id: The object's.
    """
    least = least_pixels(label.shape)
    labelled = label == class_id
    predicted = (prediction == class_id) & (label != IGNORE_INDEX)
    label_px, predicted_px, shared = (
        int(np.count_nonzero(pixels)) for pixels in (labelled, predicted, labelled & predicted)
    )
    large = label_px >= least
    both = large and predicted_px >= least
    return ObjectResult(
        labelled=large,
        too_small=0 < label_px < least,
        found=large and shared >= FOUND_IOU * (label_px + predicted_px - shared),
        false_regions=_regions_apart(predicted, labelled, least),
        error_px=math.dist(centroid_xy(labelled), centroid_xy(predicted)) if both else math.nan,
    )


def centroid_xy(inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean position (x, y) of the pixels of (H, W) bool; at least one must be set.

    >>> centroid_xy(np.array([[False, True], [False, True]]))
    (1.0, 0.5)
    """
    rows, columns = np.nonzero(inside)
    return float(columns.mean()), float(rows.mean())


def _regions_apart(predicted: NDArray[np.bool_], labelled: NDArray[np.bool_], least: int) -> int:
    """Count the regions of at least ``least`` pixels that touch no labelled one."""
    count, regions, facts, _ = cv2.connectedComponentsWithStats(
        predicted.astype(np.uint8), connectivity=8
    )
    large = facts[:, cv2.CC_STAT_AREA] >= least
    large[0] = False  # what is not predicted
    large[np.unique(regions[labelled])] = False
    return int(np.count_nonzero(large[:count]))
