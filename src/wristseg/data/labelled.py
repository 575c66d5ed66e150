"""A labelled data set, read and checked: its frames, their images and their masks.

``data.labels`` makes it; training, ``wristseg masks``, ``wristseg check`` and evaluation use it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import sha256_of
from wristseg.classes import ClassTable
from wristseg.data.coco import Frame
from wristseg.data.draw import draw_mask
from wristseg.data.layout import Layout
from wristseg.errors import DataError
from wristseg.images import read_image_rgb, read_mask

__all__ = ["LabelledDataset", "LabelledFrame", "size_fault"]


@dataclass(frozen=True)
class LabelledFrame:
    """One frame that counts: annotated and not excluded.

    Attributes:
        stem: Name without folders and suffix; unique in the data set.
        image_path: The image file.
        size_hw: Height and width in pixels, the same for image and labels.
        tag: ``grasp`` or ``default``; chooses the draw order.
        recording: What ``recording_of`` makes of its name.
        coco: Its outlines, where the labels are COCO's.
        mask_path: Its ready-made mask, where the labels are PNG files.
    """

    stem: str
    image_path: Path
    size_hw: tuple[int, int]
    tag: str
    recording: str
    coco: Frame | None = field(default=None, repr=False)
    mask_path: Path | None = None


@dataclass(frozen=True)
class LabelledDataset:
    """A data set whose labels break no rule.

    Attributes:
        layout: Where its parts lie.
        classes: Its class table.
        frames: The frames that count, sorted by stem.
        excluded: Stems left out by ``excluded.json``, sorted.
        without_annotation: Stems of images nobody labelled, sorted.
        warnings: What is odd but does not stop anything.
    """

    layout: Layout
    classes: ClassTable
    frames: tuple[LabelledFrame, ...]
    excluded: tuple[str, ...]
    without_annotation: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def image(self, frame: LabelledFrame) -> NDArray[np.uint8]:
        """Decode a frame's image: (H, W, 3) uint8, RGB.

        Raises:
            DataError: The file is damaged, or has changed its size since the labels were read.
        """
        image = read_image_rgb(frame.image_path)
        if image.shape[:2] != frame.size_hw:
            raise DataError(frame.image_path, size_fault(image.shape[:2], frame.size_hw))
        return image

    def mask(self, frame: LabelledFrame) -> NDArray[np.uint8]:
        """Return a frame's labels: (H, W) uint8, class ids, 0 where nobody drew, 255 to ignore.

        Raises:
            DataError: A ready-made mask cannot be read.
        """
        if frame.coco is not None:
            return draw_mask(frame.coco, order_ids=self.classes.order_ids(frame.tag))
        assert frame.mask_path is not None
        return read_mask(frame.mask_path, num_classes=len(self.classes))

    @cached_property
    def sha256(self) -> str:
        """Hash of label and mark files, class table, and the images' names and sizes in bytes.

        Where the data set lies does not change it.
        """
        sources = (self.layout.annotations, self.layout.selections, self.layout.excluded)
        parts: list[object] = [self.classes.to_dict()]
        parts += [None if path is None else sha256_of(path) for path in sources]
        for frame in self.frames:
            mask = None if frame.mask_path is None else sha256_of(frame.mask_path)
            parts.append([frame.image_path.name, frame.image_path.stat().st_size, mask])
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def size_fault(image_hw: tuple[int, ...], labels_hw: tuple[int, int]) -> str:
    """Say that an image and its labels differ in size, and what to do."""
    image, labels = ("x".join(map(str, size)) for size in (image_hw, labels_hw))
    return (
        f"image is {image}, its labels are for {labels} (h x w); export the annotations again from"
        " the images you train on"
    )
