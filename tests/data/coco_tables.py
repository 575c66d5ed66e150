"""A small valid COCO file to spoil, and the command run on what was spoilt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wristseg import rle
from wristseg.cli.masks import main

HEIGHT, WIDTH = 12, 16
NAN, INF = float("nan"), float("inf")
HUGE = 10**400
TRIANGLE = [1.0, 1.0, 9.0, 1.0, 5.0, 8.0]
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[2:6, 3:9] = 1
COUNTS = rle.encode(MASK)


def base_table() -> dict[str, Any]:
    """A valid file with a polygon, plain and compressed run lengths; a copy each time."""

    def annotation(number: int, image_id: int, segmentation: Any) -> dict[str, Any]:
        return {
            "id": number,
            "image_id": image_id,
            "category_id": 1,
            "segmentation": segmentation,
            "iscrowd": 0,
            "area": 1.0,
            "bbox": [0, 0, 1, 1],
        }

    return {
        "images": [
            {"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 2, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "categories": [{"id": 1, "name": "cube", "supercategory": ""}],
        "annotations": [
            annotation(1, 1, [list(TRIANGLE)]),
            annotation(2, 2, {"size": [HEIGHT, WIDTH], "counts": list(COUNTS)}),
            annotation(3, 2, {"size": [HEIGHT, WIDTH], "counts": rle.compress(COUNTS)}),
        ],
    }


def arguments(annotations: Path, images_dir: Path, output: Path) -> list[str]:
    return [
        *("--dataset-path", str(annotations.parent), "--annotations", str(annotations)),
        *("--images", str(images_dir), "--output-dir", str(output)),
    ]


def refusal(text: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command on a COCO text that must be refused; return what it says."""
    annotations, output = tmp_path / "coco.json", tmp_path / "masks"
    annotations.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert main(arguments(annotations, images_dir, output)) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert not output.exists(), "something was written"
    return said


def rle_of(counts: Any, size: Any = None) -> dict[str, Any]:
    return {"size": [HEIGHT, WIDTH] if size is None else size, "counts": counts}
