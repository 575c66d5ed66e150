"""Pair images with ready-made PNG masks of class ids, ``<masks>/<stem>.png``.

Called by ``data.labels`` for data sets that come with masks instead of a COCO file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wristseg.classes import ClassTable
from wristseg.data.layout import list_images
from wristseg.data.names import frame_stem, source_stem
from wristseg.data.problems import Problem
from wristseg.errors import DataError, UsageError
from wristseg.images import has_text_name, image_size_hw, read_mask

__all__ = ["ImageAndMask", "find_masks"]


@dataclass(frozen=True)
class ImageAndMask:
    """An image and, where there is one, its mask.

    Attributes:
        stem: The image's name without suffix.
        source: The stem before an annotation tool renamed it.
        image_path: The image file.
        size_hw: Height and width of the mask, or of the image without a mask, in pixels.
        mask_path: The mask file, or None.
    """

    stem: str
    source: str
    image_path: Path
    size_hw: tuple[int, int]
    mask_path: Path | None


def find_masks(
    images_dir: Path, masks_dir: Path, classes: ClassTable
) -> tuple[list[ImageAndMask], list[Problem]]:
    """Pair images with masks by stem, reading every mask once.

    Returns:
        The images with their masks, and what is wrong with masks and names.

    Raises:
        UsageError: The mask folder is not there.
    """
    if not masks_dir.is_dir():
        raise UsageError(f"--masks-dir {masks_dir}: no such folder")
    masks, problems = _masks_by_stem(masks_dir)
    inside = masks_dir.resolve()
    files = [path for path in list_images(images_dir) if not path.resolve().is_relative_to(inside)]
    problems += _names_of_bytes(files)
    images = list(filter(has_text_name, files))
    counts = Counter(frame_stem(path.name).casefold() for path in images)
    problems += [
        Problem(
            f"{count} images have the stem {stem!r}, so they would share one mask; rename them",
            topic="names",
        )
        for stem, count in counts.items()
        if count > 1
    ]
    pairs = []
    for path in images:
        try:
            pairs.append(_pair(path, masks.pop(frame_stem(path.name), None), classes))
        except DataError as error:
            problems.append(Problem(str(error), "error", frame_stem(path.name), "image files"))
    problems += [
        Problem(f"mask {path.name} has no image in {images_dir}", "warning", topic="names")
        for path in masks.values()
    ]
    return pairs, problems


def _masks_by_stem(masks_dir: Path) -> tuple[dict[str, Path], list[Problem]]:
    found = [path for path in list_images(masks_dir) if path.parent == masks_dir]
    files = list(filter(has_text_name, found))
    problems = _names_of_bytes(found) + [
        Problem(f"{path}: a mask must be a PNG; {path.suffix} files do not keep class ids")
        for path in files
        if path.suffix.lower() != ".png"
    ]
    return {
        frame_stem(path.name): path for path in files if path.suffix.lower() == ".png"
    }, problems


def _names_of_bytes(paths: list[Path]) -> list[Problem]:
    """Refuse names that no page and no record can hold."""
    return [
        Problem(f"{str(path)!a}: the name is not UTF-8; rename it", topic="names")
        for path in paths
        if not has_text_name(path)
    ]


def _pair(image_path: Path, mask_path: Path | None, classes: ClassTable) -> ImageAndMask:
    if mask_path is None:
        height, width = image_size_hw(image_path)
    else:
        height, width = read_mask(mask_path, num_classes=len(classes)).shape
    stem, source = frame_stem(image_path.name), source_stem(image_path.name)
    return ImageAndMask(stem, source, image_path, (height, width), mask_path)
