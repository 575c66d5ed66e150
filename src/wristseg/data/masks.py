"""Stage ``wristseg masks``: draw the mask PNG of every frame that counts.

In comes a COCO export with its marks, out go ``<output-dir>/<stem>.png`` and a summary. Nothing is
written before the whole data set has passed the rules. Called by ``cli.masks`` and the demo.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.configs import MasksConfig
from wristseg.data.draw import class_planes, paint
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.labels import load_labels
from wristseg.data.progress import for_each
from wristseg.errors import DataError, UsageError
from wristseg.images import write_mask

__all__ = ["MasksSummary", "draw_frame", "generate_masks"]


@dataclass(frozen=True)
class MasksSummary:
    """What ``generate_masks`` did.

    Attributes:
        output_dir: Folder of the masks.
        frames_per_order: Frames drawn in each draw order, by tag.
        excluded: Stems left out by ``excluded.json``.
        without_annotation: Stems of images nobody labelled; they got no mask.
        pixels_per_class: Pixels by class name, over all masks.
        contested_pixels: Pixels whose class depends on the draw order, over all masks.
        stale: PNG files in the output folder that this run did not write.
        warnings: What is odd about the labels.
    """

    output_dir: Path
    frames_per_order: dict[str, int]
    excluded: tuple[str, ...]
    without_annotation: tuple[str, ...]
    pixels_per_class: dict[str, int]
    contested_pixels: int
    stale: tuple[str, ...]
    warnings: tuple[str, ...]


def generate_masks(config: MasksConfig) -> MasksSummary:
    """Write the masks of a data set, and overlays of them on request.

    Raises:
        UsageError: A named input is not there, or an output folder holds the input images.
        DataError: The data set breaks rules; nothing was written.
        OSError: An output folder cannot be written to.
    """
    dataset = load_labels(config.dataset())
    if dataset.layout.annotations is None:
        raise DataError(
            config.dataset_path,
            "holds ready-made masks and no COCO file: nothing to draw, wristseg train takes them",
        )
    output_dir = config.output_dir
    if output_dir is None:
        output_dir = config.dataset_path / "masks"
    _require_own_folders(dataset, output_dir, config.viz_dir)

    def write(frame: LabelledFrame) -> tuple[NDArray[np.int64], int]:
        mask, contested = draw_frame(frame, dataset.classes)
        write_mask(output_dir / f"{frame.stem}.png", mask, dataset.classes)
        if config.viz_dir is not None:
            _write_overlay(config.viz_dir / f"{frame.stem}.jpg", dataset, frame, mask)
        counts = np.bincount(mask.ravel(), minlength=len(dataset.classes))
        return counts, int(np.count_nonzero(contested))

    if config.viz_dir is not None:
        _require_whole_images(dataset)
    counted = for_each(write, dataset.frames, doing="drawing masks")
    pixels = np.sum([counts for counts, _ in counted], axis=0)
    per_order = Counter(frame.tag for frame in dataset.frames)
    return MasksSummary(
        output_dir=output_dir,
        frames_per_order={tag: per_order[tag] for tag in dataset.classes.draw_orders},
        excluded=dataset.excluded,
        without_annotation=dataset.without_annotation,
        pixels_per_class=dict(zip(dataset.classes.names, pixels.tolist(), strict=True)),
        contested_pixels=sum(contested for _, contested in counted),
        stale=_stale(output_dir, dataset.frames),
        warnings=dataset.warnings,
    )


def draw_frame(
    frame: LabelledFrame, classes: ClassTable
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a frame with COCO outlines, and compare the draw orders.

    Returns:
        (H, W) uint8, class ids; and (H, W) bool, pixels that another draw order would change.
    """
    assert frame.coco is not None
    planes = class_planes(frame.coco)
    masks = {
        tag: paint(planes, frame.size_hw, order_ids=classes.order_ids(tag))
        for tag in classes.draw_orders
    }
    mask = masks.pop(frame.tag)
    contested = np.zeros(frame.size_hw, np.bool_)
    for other in masks.values():
        contested |= mask != other
    return mask, contested


def _require_whole_images(dataset: LabelledDataset) -> None:
    """Refuse damaged images before the first mask is written; only overlays need the pixels."""

    def damage(frame: LabelledFrame) -> str | None:
        try:
            dataset.image(frame)
        except DataError as error:
            return str(error)
        return None

    damages = for_each(damage, dataset.frames, doing="reading images")
    if any(damages):
        raise DataError(dataset.layout.images_dir, [text for text in damages if text is not None])


def _write_overlay(
    path: Path, dataset: LabelledDataset, frame: LabelledFrame, mask: NDArray[np.uint8]
) -> None:
    from PIL import Image

    from wristseg.artifacts import atomic_path
    from wristseg.overlay import blend

    overlay = blend(dataset.image(frame), mask, dataset.classes)
    with atomic_path(path) as temporary:
        Image.fromarray(overlay).save(temporary, "JPEG", quality=90)


def _require_own_folders(dataset: LabelledDataset, output_dir: Path, viz_dir: Path | None) -> None:
    """Refuse to write where the images are: ``<stem>.png`` may be the name of one of them."""
    taken = {frame.image_path.parent.resolve() for frame in dataset.frames}
    for option, folder in (("--output-dir", output_dir), ("--viz-dir", viz_dir)):
        if folder is None:
            continue
        if folder.resolve() in taken:
            raise UsageError(
                f"{option} {folder} holds the images or the masks; give a folder of its own"
            )
        taken.add(folder.resolve())


def _stale(output_dir: Path, frames: tuple[LabelledFrame, ...]) -> tuple[str, ...]:
    written = {f"{frame.stem}.png" for frame in frames}
    return tuple(sorted(path.name for path in output_dir.glob("*.png") if path.name not in written))
