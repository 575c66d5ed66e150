"""Predictions as a COCO file that annotation tools import.

As run lengths: one annotation per frame and class, uncompressed and with ``iscrowd`` 1, the form in
which CVAT itself exports brush masks and reads them back. As polygons: one per connected region.
Class 0 (unlabelled) has no category, since nothing was drawn there. Called by ``predict`` and by
``labeling.preannotate``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wristseg import rle
from wristseg.artifacts import write_text
from wristseg.classes import ClassTable
from wristseg.predict.polygons import outlines

__all__ = ["CocoPredictions"]


class CocoPredictions:
    """Collects masks; ``write`` makes the file.

    Args:
        classes: Class table of the masks; a category's id is its class id.
        shape: ``rle`` or ``polygon``.
        tolerance_px: How far a polygon may lie from the pixels' borders; 0 keeps every pixel.
    """

    def __init__(
        self,
        classes: ClassTable,
        *,
        shape: Literal["rle", "polygon"] = "rle",
        tolerance_px: float = 0.0,
    ) -> None:
        self._classes = classes
        self._shape = shape
        self._tolerance_px = tolerance_px
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, file_name: str, mask: NDArray[np.uint8]) -> None:
        """Add a frame's mask, (H, W) uint8 class ids, under the name of its image."""
        height, width = mask.shape
        image_id = len(self._images) + 1
        self._images.append(
            {"id": image_id, "width": width, "height": height, "file_name": file_name}
        )
        for class_id in range(1, len(self._classes)):
            region = np.asarray(mask == class_id, np.uint8)
            for outlined in self._outlined(region):
                numbers = {"id": len(self._annotations) + 1, "image_id": image_id}
                self._annotations.append({**numbers, "category_id": class_id, **outlined})

    def _outlined(self, region: NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Return what COCO says of each piece of a class: outline, area, box."""
        if self._shape == "polygon":
            return [
                {
                    "segmentation": [outline.points_xy.ravel().tolist()],
                    "area": outline.pixels,
                    "bbox": list(outline.bbox_xywh),
                    "iscrowd": 0,
                }
                for outline in outlines(region, tolerance_px=self._tolerance_px)
            ]
        if not region.any():
            return []
        counts, size_hw = rle.encode(region), (region.shape[0], region.shape[1])
        return [
            {
                "segmentation": {"counts": counts, "size": list(size_hw)},
                "area": int(region.sum()),
                "bbox": rle.bbox_xywh(counts, size_hw),
                "iscrowd": 1,
            }
        ]

    def write(self, path: Path, *, description: str) -> None:
        """Write the file atomically; ``description`` says where it comes from."""
        content = {
            "info": {"description": description},
            "images": self._images,
            "categories": [
                {"id": i, "name": name, "supercategory": ""}
                for i, name in enumerate(self._classes.names)
                if i > 0
            ],
            "annotations": self._annotations,
        }
        write_text(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
