"""Draw the class mask of a frame: outlines filled as pycocotools fills them, in draw order.

OpenCV's and Pillow's polygon fills differ from COCO's by 2-4 % of an object's pixels, so the
filling is pycocotools'. It only ever sees outlines that ``data.coco_rules`` has checked. Called by
``data.labels``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg import rle
from wristseg.data.coco import Annotation, Frame
from wristseg.errors import MissingExtraError

__all__ = ["class_planes", "draw_mask", "paint"]


def draw_mask(frame: Frame, *, order_ids: Sequence[int]) -> NDArray[np.uint8]:
    """Draw one frame.

    Args:
        frame: A frame whose annotations are checked.
        order_ids: Class ids, first drawn first; a later class covers an earlier one. Classes
            outside the order are not drawn.

    Returns:
        (H, W) uint8, class ids; 0 where nothing is drawn.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """
    return paint(class_planes(frame), frame.size_hw, order_ids=order_ids)


def class_planes(frame: Frame) -> dict[int, NDArray[np.bool_]]:
    """Return, by class id, the (H, W) bool mask of all pixels inside an outline of that class."""
    by_class: dict[int, list[Annotation]] = {}
    for annotation in frame.annotations:
        by_class.setdefault(annotation.class_id, []).append(annotation)
    return {
        class_id: _union(annotations, frame.size_hw) for class_id, annotations in by_class.items()
    }


def paint(
    planes: dict[int, NDArray[np.bool_]], size_hw: tuple[int, int], *, order_ids: Iterable[int]
) -> NDArray[np.uint8]:
    """Lay class planes over each other in an order; returns (H, W) uint8, class ids."""
    # Column by column like the planes: both are then walked in the order of memory.
    mask = np.zeros(size_hw, np.uint8, order="F")
    for class_id in order_ids:
        if class_id in planes:
            mask[planes[class_id]] = class_id
    return np.ascontiguousarray(mask)


def _union(annotations: list[Annotation], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    plane = np.zeros(size_hw, np.bool_, order="F")
    parts = [list(part) for a in annotations if a.polygons_xy is not None for part in a.polygons_xy]
    if parts:
        plane |= _fill(parts, size_hw)
    for annotation in annotations:
        if annotation.counts is not None:
            plane |= rle.decode(annotation.counts, size_hw).view(np.bool_)
    return plane


def _fill(parts: list[list[float]], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    native = _pycocotools()
    filled = native.decode(native.merge(native.frPyObjects(parts, *size_hw)))
    return np.asarray(filled, np.uint8).view(np.bool_)


def _pycocotools() -> Any:
    try:
        from pycocotools import mask
    except ModuleNotFoundError as error:
        raise MissingExtraError("pycocotools", "labels") from error
    return mask
