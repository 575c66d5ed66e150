"""Tiny data sets in the layouts of annotation tools, for every test that needs one on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CATEGORIES = ("background", "table", "cube", "static_finger", "moving_finger")
_CLASS_RGB = {
    "background": (120, 160, 200),
    "table": (160, 120, 80),
    "cube": (220, 40, 40),
    "static_finger": (230, 200, 60),
    "moving_finger": (60, 200, 90),
}


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    """A rectangle as a COCO polygon."""
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def make_coco_dataset(
    folder: Path,
    *,
    frames: int = 6,
    size_hw: tuple[int, int] = (48, 64),
    layout: str = "cvat",
    grasp: tuple[int, ...] = (1,),
    excluded: tuple[int, ...] = (),
    unlabelled: tuple[int, ...] = (),
    names: list[str] | None = None,
    suffix: str = ".jpg",
    recordings: int = 2,
    seed: int = 0,
) -> Path:
    """Write images, a COCO file and marks; returns ``folder``.

    Every frame has a background, a table, a cube and two fingers that overlap the cube. Frame i is
    called ``demo<i % recordings>_frame_<i:04d>`` unless ``names`` says otherwise; numbers in
    ``grasp``, ``excluded`` and ``unlabelled`` are such i.
    """
    stems = names or [f"demo{i % recordings}_frame_{i:04d}" for i in range(frames)]
    images_dir, annotations, prefix = _places(folder, layout)
    images_dir.mkdir(parents=True, exist_ok=True)
    annotations.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    coco: dict[str, Any] = {
        "info": {"description": "", "version": ""},
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "categories": [
            {"id": i, "name": name, "supercategory": ""} for i, name in enumerate(CATEGORIES, 1)
        ],
        "images": [],
        "annotations": [],
    }
    for i, stem in enumerate(stems):
        shapes = frame_shapes(size_hw, rng)
        write_frame(images_dir / f"{stem}{suffix}", shapes, size_hw, rng)
        coco["images"].append(
            {
                "id": i + 1,
                "width": size_hw[1],
                "height": size_hw[0],
                "file_name": f"{prefix}{stem}{suffix}",
                "license": 0,
            }
        )
        if i in unlabelled:
            continue
        for name, polygon in shapes:
            coco["annotations"].append(
                {
                    "id": len(coco["annotations"]) + 1,
                    "image_id": i + 1,
                    "category_id": CATEGORIES.index(name) + 1,
                    "segmentation": [polygon],
                    "area": 0.0,
                    "bbox": [0.0, 0.0, 0.0, 0.0],
                    "iscrowd": 0,
                }
            )
    annotations.write_text(json.dumps(coco))
    write_marks(folder / "selections.json", {f"{stems[i]}{suffix}": "Grasp" for i in grasp})
    write_marks(folder / "excluded.json", {f"{stems[i]}{suffix}": "Excluded" for i in excluded})
    return folder


def frame_shapes(
    size_hw: tuple[int, int], rng: np.random.Generator
) -> list[tuple[str, list[float]]]:
    """Class name and polygon of each object; the fingers cover a part of the cube."""
    height, width = size_hw
    x, y = rng.uniform(0.35, 0.5) * width, rng.uniform(0.4, 0.5) * height
    side = 0.25 * width
    return [
        ("background", rectangle(0, 0, width, 0.3 * height)),
        ("table", rectangle(0, 0.3 * height, width, height - 2)),
        ("cube", rectangle(x, y, x + side, y + side)),
        ("static_finger", rectangle(x + 0.7 * side, y + 0.3 * side, x + 1.4 * side, height)),
        ("moving_finger", rectangle(x - 0.4 * side, y + 0.3 * side, x + 0.3 * side, height)),
    ]


def write_frame(
    path: Path,
    shapes: list[tuple[str, list[float]]],
    size_hw: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Paint the shapes' boxes with a little noise, so that no two images have the same bytes."""
    image = np.zeros((*size_hw, 3), np.int16)
    for name, polygon in shapes:
        (x0, x1), (y0, y1) = (
            (int(min(values)), int(max(values))) for values in (polygon[0::2], polygon[1::2])
        )
        image[y0:y1, x0:x1] = _CLASS_RGB[name]
    noisy = np.clip(image + rng.integers(-12, 13, image.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(path, quality=95)


def write_marks(path: Path, marks: dict[str, str]) -> None:
    """Write marks as the image viewer does."""
    path.write_text(json.dumps({"marks": marks}))


def coco_file(folder: Path) -> Path:
    """The COCO file of a data set that ``make_coco_dataset`` wrote."""
    found = [*folder.glob("annotations/*.json"), *folder.glob("*nnotations*.json")]
    return found[0]


def edit_coco(folder: Path, edit: Any) -> None:
    """Apply ``edit`` to the parsed COCO file and write it back."""
    path = coco_file(folder)
    table = json.loads(path.read_text())
    edit(table)
    path.write_text(json.dumps(table))


def _places(folder: Path, layout: str) -> tuple[Path, Path, str]:
    """Image folder, COCO file and what stands in front of names."""
    return {
        "cvat": (folder / "images/default", folder / "annotations/instances_default.json", ""),
        "roboflow": (folder, folder / "_annotations.coco.json", ""),
        "salt": (folder / "images", folder / "annotations.json", "images/"),
    }[layout]
