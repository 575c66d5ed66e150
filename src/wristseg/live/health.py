"""Signs that a mask is worth less than it looks: for a person who watches, and for a log.

In: a frame and its mask. Out: a ``Health``. The graph that runs on a robot gives class ids and no
probabilities, so there is no entropy to look at; what can be had instead is how bright the frame
is, how much of the mask changed since the frame before, and whether a class covers more or less of
the frame than it ever did in a reference: the labels a model was trained on, or the recording of a
run that went well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import DataError
from wristseg.images import read_mask
from wristseg.predict.mask_video import read_mask_video

__all__ = ["AreaRange", "Health", "HealthCheck", "reference_areas"]

#: Mean brightness (0-255) outside of which a camera's exposure is off.
_DARK, _BRIGHT = 25.0, 235.0
#: Share of pixels that change between two frames only when the arm or the camera jerks.
_CHANGED = 0.25
#: How far beyond the reference an area may go, as a factor and as a share of the frame.
_SLACK, _LEAST = 1.25, 0.002


@dataclass(frozen=True)
class AreaRange:
    """Least and largest share of the frame that a class covered in a reference."""

    least: float
    most: float

    def holds(self, share: float) -> bool:
        """Tell whether a share lies inside, with some slack."""
        return self.least / _SLACK - _LEAST <= share <= self.most * _SLACK + _LEAST


@dataclass(frozen=True)
class Health:
    """What stands out about one frame and its mask.

    Attributes:
        brightness: Mean of the frame, 0-255.
        changed: Share of pixels whose class differs from the mask before; None for the first.
        areas: Share of the frame per class, by id.
        warnings: One sentence for each sign of trouble.
    """

    brightness: float
    changed: float | None
    areas: tuple[float, ...]
    warnings: tuple[str, ...]


class HealthCheck:
    """Looks at frames and masks in order.

    Args:
        classes: Class table of the masks.
        usual: Areas by class id; None where there is no reference.
    """

    def __init__(self, classes: ClassTable, usual: Mapping[int, AreaRange] | None = None) -> None:
        self._classes = classes
        self._usual = dict(usual or {})
        self._last: NDArray[np.uint8] | None = None

    def look(self, frame_bgr: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Health:
        """Judge one frame, (H, W, 3) uint8, and its mask, (H, W) uint8 class ids."""
        brightness = float(np.mean(cv2.mean(np.ascontiguousarray(frame_bgr[::8, ::8]))[:3]))
        last, self._last = self._last, mask
        changed = None
        if last is not None and last.shape == mask.shape:
            changed = float(np.count_nonzero(cv2.compare(last, mask, cv2.CMP_NE))) / mask.size
        areas = class_areas(mask, len(self._classes.names))
        warnings = (*_of_light(brightness), *_of_change(changed), *self._of_areas(areas))
        return Health(brightness, changed, areas, warnings)

    def _of_areas(self, areas: tuple[float, ...]) -> Iterable[str]:
        for class_id, usual in self._usual.items():
            if not usual.holds(areas[class_id]):
                yield (
                    f"{self._classes.names[class_id]} covers {areas[class_id]:.1%} of the frame, "
                    f"{usual.least:.1%} to {usual.most:.1%} in the reference"
                )


def class_areas(mask: NDArray[np.uint8], num_classes: int) -> tuple[float, ...]:
    """Return the share of (H, W) uint8 class ids that each class covers.

    >>> class_areas(np.array([[0, 2], [2, 2]], np.uint8), 3)
    (0.25, 0.0, 0.75)
    """
    counts = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256]).ravel()
    return tuple(float(count) / mask.size for count in counts[:num_classes])


def reference_areas(path: Path, num_classes: int) -> dict[int, AreaRange]:
    """Return the areas of each class in a folder of mask PNGs or in a mask video.

    Raises:
        DataError: There is no mask, or one cannot be read or has other classes.
    """
    if path.is_dir():
        read = partial(read_mask, num_classes=num_classes)
        masks: Iterable[NDArray[np.uint8]] = map(read, sorted(path.glob("*.png")))
    else:
        masks = read_mask_video(path)
    shares = []
    for number, mask in enumerate(masks):
        highest = int(mask[mask != 255].max(initial=0))
        if highest >= num_classes:
            problem = f"mask {number} has class {highest}, the model has {num_classes} classes"
            raise DataError(path, f"{problem}; give masks of the same class table")
        shares.append(class_areas(mask, num_classes))
    if not shares:
        raise DataError(path, "holds no mask; expected PNG masks in a folder, or a mask video")
    found = np.array(shares)
    lowest, highest_of = found.min(axis=0), found.max(axis=0)
    return {i: AreaRange(float(lowest[i]), float(highest_of[i])) for i in range(num_classes)}


def _of_light(brightness: float) -> Iterable[str]:
    if not _DARK <= brightness <= _BRIGHT:
        kind = "dark" if brightness < _DARK else "bright"
        yield f"frame is very {kind} ({brightness:.0f} of 255)"


def _of_change(changed: float | None) -> Iterable[str]:
    if changed is not None and changed > _CHANGED:
        yield f"{changed:.0%} of the mask changed within one frame"
