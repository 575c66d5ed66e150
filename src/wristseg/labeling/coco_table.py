"""A COCO table of checked annotations, as ``merge`` writes it: outlines to the last digit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from wristseg import rle
from wristseg.classes import ClassTable
from wristseg.data.coco import Annotation

__all__ = ["coco_table"]


def coco_table(
    images: Iterable[tuple[str, tuple[int, int], Sequence[Annotation]]],
    classes: ClassTable,
    *,
    description: str,
) -> dict[str, Any]:
    """Return the table, with ids from 1 on.

    Args:
        images: File name, height and width, and annotations of each.
        classes: Class table; a category's id is its class id.
        description: Where the table comes from.
    """
    table: dict[str, Any] = {
        "info": {"description": description},
        "licenses": [],
        "categories": [
            {"id": i, "name": name, "supercategory": ""}
            for i, name in enumerate(classes.names)
            if i > 0
        ],
        "images": [],
        "annotations": [],
    }
    for image_id, (file_name, (height, width), outlined) in enumerate(images, start=1):
        table["images"].append(
            {"id": image_id, "width": width, "height": height, "file_name": file_name}
        )
        for annotation in outlined:
            row = {"id": len(table["annotations"]) + 1, "image_id": image_id}
            table["annotations"].append(row | _row(annotation, (height, width)))
    return table


def _row(annotation: Annotation, size_hw: tuple[int, int]) -> dict[str, Any]:
    return {
        "category_id": annotation.class_id,
        "iscrowd": annotation.iscrowd,
        **(
            _of_polygons(annotation.polygons_xy)
            if annotation.polygons_xy is not None
            else _of_counts(annotation.counts or (), size_hw)
        ),
    }


def _of_polygons(parts: Sequence[Sequence[float]]) -> dict[str, Any]:
    points = [np.asarray(part, np.float64).reshape(-1, 2) for part in parts]
    low = np.min([part.min(axis=0) for part in points], axis=0)
    high = np.max([part.max(axis=0) for part in points], axis=0)
    return {
        "segmentation": [list(part) for part in parts],
        "area": round(sum(_polygon_area(part) for part in points), 2),
        "bbox": [*low.tolist(), *(high - low).tolist()],
    }


def _polygon_area(points_xy: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    x, y = points_xy.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _of_counts(counts: Sequence[int], size_hw: tuple[int, int]) -> dict[str, Any]:
    return {
        "segmentation": {"counts": list(counts), "size": list(size_hw)},
        "area": sum(counts[1::2]),
        "bbox": rle.bbox_xywh(counts, size_hw),
    }
