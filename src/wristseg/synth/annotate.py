"""Annotations the way people draw them with SAM tools, from exact masks.

Comes in: exact class ids, and whole regions of what something else covers. Goes out: COCO
annotations without ids of their own (``export`` numbers them). Called by ``worker``.

Outlines are simplified and a pixel or two off, small gaps stay unlabelled, the object is outlined
whole where a finger covers it (so that the draw order matters), and in grasp frames the fingers run
on behind the object. Regions with holes and some others are RLE with ``iscrowd`` 1, which is how
brush masks are exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from wristseg import rle

__all__ = ["Annotation", "AnnotationStyle", "Flaw", "Mask", "annotate", "spoil"]

Mask = NDArray[np.uint8]
Annotation = dict[str, Any]
Flaw = Literal[
    "fingers_swapped",
    "moving_finger_missing",
    "all_shifted",
    "table_and_background_swapped",
    "cube_beside_itself",
    "static_finger_boxed",
    "cube_called_table",
]

#: Regions are continued beyond the picture's edges before they are smoothed, so that outlines end
#: on the edge and not a pixel short of it.
_MARGIN = 3


@dataclass(frozen=True)
class AnnotationStyle:
    """How carefully the outlines are drawn.

    Attributes:
        smoothing_px: Standard deviation of the smoothing that rounds corners.
        shrink: Range of the level at which the smoothed region is cut; 0.5 keeps its size, more
            leaves a gap around it.
        simplify_px: Range of the largest distance between outline and polygon.
        smallest_px: Parts with fewer pixels are overlooked.
        rle_share: Share of regions without holes that are stored as RLE all the same.
    """

    smoothing_px: float = 1.6
    shrink: tuple[float, float] = (0.44, 0.66)
    simplify_px: tuple[float, float] = (0.8, 1.8)
    smallest_px: int = 40
    rle_share: float = 0.06


def annotate(
    regions: Mapping[str, Mask], *, style: AnnotationStyle, rng: np.random.Generator
) -> list[Annotation]:
    """Outline regions.

    Args:
        regions: Class name to (H, W) uint8, 1 where the annotator sees or infers the class.
        style: How careful the annotator is.
        rng: The annotator's hand.

    Returns:
        COCO annotations with ``category`` (the class's name) in place of ids, in the order given;
        none for a region that is too small to notice.
    """
    drawn = (_outline(name, mask, style, rng) for name, mask in regions.items())
    return [annotation for annotation in drawn if annotation is not None]


def _outline(
    name: str, mask: Mask, style: AnnotationStyle, rng: np.random.Generator
) -> Annotation | None:
    level, tolerance = rng.uniform(*style.shrink), rng.uniform(*style.simplify_px)
    as_rle = rng.random() < style.rle_share
    compressed = rng.random() < 0.5
    sketch = _sketch(mask, style, level)
    parts, has_holes = _contours(sketch, style.smallest_px)
    if not parts:
        return None
    if has_holes or as_rle:
        return _rle_annotation(name, _opened(sketch, style.smallest_px), compressed=compressed)
    polygons = [_polygon(part, tolerance, mask.shape) for part in parts]
    drawn = [polygon for polygon in polygons if polygon is not None]
    return _polygon_annotation(name, drawn, mask.shape) if drawn else None


def _sketch(mask: Mask, style: AnnotationStyle, level: float) -> Mask:
    """Round the region's corners and move its outline a little; (H + 6, W + 6) uint8."""
    padded = np.pad(mask.astype(np.float32), _MARGIN, mode="edge")
    smooth = cv2.GaussianBlur(padded, (0, 0), style.smoothing_px)
    return np.asarray(smooth > level, np.uint8)


def _contours(sketch: Mask, smallest_px: int) -> tuple[list[NDArray[np.int32]], bool]:
    """Outer contours of the parts worth drawing, and whether one of them has a hole."""
    contours, tree = cv2.findContours(sketch, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts, has_holes = [], False
    for i, contour in enumerate(contours):
        if cv2.contourArea(contour) < smallest_px:
            continue
        if tree[0][i][3] >= 0:
            has_holes = True
        else:
            parts.append(np.asarray(contour[:, 0], np.int32))
    return parts, has_holes


def _opened(sketch: Mask, smallest_px: int) -> Mask:
    """Drop specks and fill pinholes, then cut the margin off."""
    cleaned = sketch.copy()
    for value in (1, 0):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (cleaned == value).astype(np.uint8)
        )
        for label in range(1, count):
            if stats[label, cv2.CC_STAT_AREA] < smallest_px:
                cleaned[labels == label] = 1 - value
    return cleaned[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _polygon(
    contour: NDArray[np.int32], tolerance: float, size_hw: tuple[int, ...]
) -> list[float] | None:
    """Simplify a contour to [x0, y0, x1, y1, ...] in the picture; None if nothing is left."""
    simple = cv2.approxPolyDP(contour.reshape(-1, 1, 2), tolerance, True)[:, 0].astype(float)
    # Contours run through pixel centres, COCO counts from pixel corners.
    xy = simple - _MARGIN + 0.5
    xy = np.round(np.clip(xy, 0.0, (size_hw[1], size_hw[0])), 1)
    distinct = len(np.unique(xy, axis=0))
    return [float(v) for v in xy.ravel()] if distinct >= 3 else None


def _polygon_annotation(
    name: str, polygons: list[list[float]], size_hw: tuple[int, ...]
) -> Annotation:
    encoded = coco_mask.merge(coco_mask.frPyObjects(polygons, size_hw[0], size_hw[1]))
    return {
        "category": name,
        "segmentation": polygons,
        "area": float(coco_mask.area(encoded)),
        "bbox": [float(v) for v in coco_mask.toBbox(encoded)],
        "iscrowd": 0,
    }


def _rle_annotation(name: str, mask: Mask, *, compressed: bool) -> Annotation | None:
    if not mask.any():
        return None
    encoded = coco_mask.encode(np.asfortranarray(mask))
    counts = encoded["counts"].decode("ascii") if compressed else rle.encode(mask)
    return {
        "category": name,
        "segmentation": {"counts": counts, "size": [int(side) for side in mask.shape]},
        "area": float(coco_mask.area(encoded)),
        "bbox": [float(v) for v in coco_mask.toBbox(encoded)],
        "iscrowd": 1,
    }


def spoil(
    annotations: list[Annotation], flaw: Flaw, *, size_hw: tuple[int, int]
) -> list[Annotation]:
    """Make a frame's annotations wrong in one of the ways that are found by eye in real sets."""
    match flaw:
        case "fingers_swapped":
            spoilt = _swapped(annotations, "static_finger", "moving_finger")
        case "table_and_background_swapped":
            spoilt = _swapped(annotations, "table", "background")
        case "moving_finger_missing":
            spoilt = [a for a in annotations if a["category"] != "moving_finger"]
        case "cube_called_table":
            spoilt = [_renamed(a, {"cube": "table"}) for a in annotations]
        case "all_shifted":
            spoilt = [_shifted(a, 46, -28, size_hw) for a in annotations]
        case "cube_beside_itself":
            beside = [_shifted(a, 70, 24, size_hw) for a in annotations]
            spoilt = _only_of("cube", annotations, beside)
        case "static_finger_boxed":
            spoilt = _only_of("static_finger", annotations, [_boxed(a) for a in annotations])
    return spoilt


def _only_of(
    name: str, annotations: list[Annotation], changed: list[Annotation]
) -> list[Annotation]:
    """Take the changed annotation for one class and the old one for all others."""
    pairs = zip(annotations, changed, strict=True)
    return [new if old["category"] == name else old for old, new in pairs]


def _swapped(annotations: list[Annotation], one: str, other: str) -> list[Annotation]:
    return [_renamed(a, {one: other, other: one}) for a in annotations]


def _renamed(annotation: Annotation, names: Mapping[str, str]) -> Annotation:
    category = annotation["category"]
    return annotation | {"category": names.get(category, category)}


def _shifted(annotation: Annotation, right: int, down: int, size_hw: tuple[int, int]) -> Annotation:
    mask = coco_mask.decode(_encoded(annotation, size_hw))
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(mask, matrix, size_hw[::-1], borderMode=cv2.BORDER_REPLICATE)
    style = AnnotationStyle(shrink=(0.5, 0.5), rle_share=0.0)
    redrawn = _outline(annotation["category"], moved, style, np.random.default_rng(0))
    return annotation if redrawn is None else redrawn


def _boxed(annotation: Annotation) -> Annotation:
    x, y, width, height = annotation["bbox"]
    box = [x, y, x + width, y, x + width, y + height, x, y + height]
    return annotation | {"segmentation": [box], "area": width * height, "iscrowd": 0}


def _encoded(annotation: Annotation, size_hw: tuple[int, int]) -> Any:
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, *size_hw))
    if isinstance(segmentation["counts"], list):
        return coco_mask.frPyObjects(segmentation, *size_hw)
    return segmentation
