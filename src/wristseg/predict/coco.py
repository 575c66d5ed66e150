"""Predictions as a COCO file that annotation tools import.

One annotation per frame and class, as the run lengths of its pixels, uncompressed and with
``iscrowd`` 1: the form in which CVAT itself exports brush masks and reads them back. Class 0
(unlabelled) has no category, since nothing was drawn there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg import rle
from wristseg.artifacts import write_text
from wristseg.classes import ClassTable

__all__ = ["CocoPredictions"]


class CocoPredictions:
    """Collects masks; ``write`` makes the file.

    Args:
        classes: Class table of the masks; a category's id is its class id.
    """

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes
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
            if region.any():
                counts = rle.encode(region)
                self._annotations.append(
                    {
                        "id": len(self._annotations) + 1,
                        "image_id": image_id,
                        "category_id": class_id,
                        "segmentation": {"counts": counts, "size": [height, width]},
                        "area": int(region.sum()),
                        "bbox": rle.bbox_xywh(counts, (height, width)),
                        "iscrowd": 1,
                    }
                )

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
