"""The plain way to draw masks from COCO annotations: pycocotools and Pillow, frame after frame.

The benchmark's opponent of ``wristseg masks``, like ``plain.py`` that of the rest; its pixels are
those that wristseg has to draw.

  python benchmarks/plain_masks.py --dataset data/dataset_v0 --output masks
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools.coco import COCO

__all__ = ["generate_masks"]

CLASSES = ("unlabeled", "background", "table", "cube", "static_finger", "moving_finger")
COLORS = ((0, 0, 0), (86, 180, 233), (0, 158, 115), (230, 159, 0), (204, 121, 167), (240, 228, 66))
DRAW_ORDERS = {
    "default": ("background", "table", "cube", "static_finger", "moving_finger"),
    "grasp": ("background", "table", "static_finger", "moving_finger", "cube"),
}


def generate_masks(
    dataset: Path, output: Path, *, selections: Path | None = None, excluded: Path | None = None
) -> int:
    """Draw ``<output>/<stem>.png`` for each annotated frame; returns their number."""
    coco = COCO(str(dataset / "annotations" / "instances_default.json"))
    grasp, left_out = _marked(selections), _marked(excluded, label="Excluded")
    names = {category["id"]: category["name"] for category in coco.dataset["categories"]}
    output.mkdir(parents=True, exist_ok=True)
    palette = [value for color in COLORS for value in color]
    count = 0
    for image_id in coco.getImgIds():
        info = coco.loadImgs(image_id)[0]
        stem = Path(info["file_name"]).stem
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        if stem in left_out or not annotations:
            continue
        mask = np.zeros((info["height"], info["width"]), np.uint8)
        for name in DRAW_ORDERS["grasp" if stem in grasp else "default"]:
            for annotation in annotations:
                if names[annotation["category_id"]] == name:
                    mask[coco.annToMask(annotation) == 1] = CLASSES.index(name)
        picture = Image.fromarray(mask)
        picture.putpalette(palette)
        picture.save(output / f"{stem}.png")
        count += 1
    return count


def _marked(path: Path | None, *, label: str | None = None) -> set[str]:
    if path is None:
        return set()
    marks = json.loads(path.read_text(encoding="utf-8"))["marks"]
    return {Path(name).stem for name, found in marks.items() if label in {None, found}}


def main() -> None:
    """Draw the masks of a data set in CVAT's layout."""
    parser = argparse.ArgumentParser(description="Draw masks the plain way.")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--selections", type=Path)
    parser.add_argument("--excluded", type=Path)
    given = parser.parse_args()
    marks = {"selections": given.selections, "excluded": given.excluded}
    print(generate_masks(given.dataset, given.output, **marks), "masks")


if __name__ == "__main__":
    main()
