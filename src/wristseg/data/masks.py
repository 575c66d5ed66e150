"""Stage ``wristseg masks``: draw the mask PNG of every frame that counts.

In comes a COCO export with its marks, out go ``<output-dir>/<stem>.png`` and a summary. Nothing is
written before the whole data set has passed the rules. Called by ``cli.masks`` and the demo.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import FileBatch
from wristseg.classes import ClassTable
from wristseg.configs import MasksConfig
from wristseg.data.draw import FrameRuns, frame_runs
from wristseg.data.forked import map_in_copies
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.labels import load_labels
from wristseg.data.progress import for_each
from wristseg.errors import DataError, UsageError
from wristseg.images import encode_png_rows, png_rows

__all__ = ["MasksSummary", "generate_masks"]


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

    if config.viz_dir is not None:
        _require_whole_images(dataset)
    drawn = _draw(dataset, output_dir, config.viz_dir)
    pixels = np.sum([frame.pixels for frame in drawn], axis=0)
    per_order = Counter(frame.tag for frame in dataset.frames)
    return MasksSummary(
        output_dir=output_dir,
        frames_per_order={tag: per_order[tag] for tag in dataset.classes.draw_orders},
        excluded=dataset.excluded,
        without_annotation=dataset.without_annotation,
        pixels_per_class=dict(zip(dataset.classes.names, pixels.tolist(), strict=True)),
        contested_pixels=sum(frame.contested for frame in drawn),
        stale=_stale(output_dir, dataset.frames),
        warnings=dataset.warnings,
    )


@dataclass(frozen=True)
class _DrawnFrame:
    """What was counted on one frame.

    Attributes:
        pixels: (C,) int64, pixels by class id.
        contested: Pixels that another draw order would change.
    """

    pixels: NDArray[np.int64]
    contested: int


def _draw(dataset: LabelledDataset, output_dir: Path, viz_dir: Path | None) -> list[_DrawnFrame]:
    """Write the mask of every frame, and its overlay on request.

    Masks and overlays get their names together at the end, so that a run that is stopped leaves
    those of the run before it.
    """
    frames = dataset.frames
    rows_by_size = {hw: png_rows(hw) for hw in {frame.size_hw for frame in frames}}
    with (
        FileBatch(output_dir, [f"{frame.stem}.png" for frame in frames]) as masks,
        _overlay_batch(viz_dir, frames) as overlays,
    ):

        def draw(frame: LabelledFrame) -> _DrawnFrame:
            assert frame.coco is not None
            runs = frame_runs(frame.coco)
            ids = _paint(runs, dataset.classes)
            rows = rows_by_size[frame.size_hw]
            content = _encode(runs, ids[frame.tag], rows, dataset.classes)
            masks.write(f"{frame.stem}.png", content)
            if overlays is not None:
                mask = runs.to_pixels(ids[frame.tag])
                overlays.write(f"{frame.stem}.jpg", _overlay(dataset, frame, mask))
            return _count(runs, ids, frame.tag, dataset.classes)

        # No threads: the steps are so short that they would mostly wait for Python's lock.
        return map_in_copies(draw, frames, doing="drawing masks")


def _encode(
    runs: FrameRuns, ids: NDArray[np.uint8], rows: NDArray[np.uint8], classes: ClassTable
) -> bytes:
    """Return the PNG of a mask; ``rows`` is memory for it, which is left as it was."""
    places, differences = runs.row_differences(ids)
    pixels = rows[:, 1:]
    pixels[places] = differences
    content = encode_png_rows(rows, classes)
    pixels[places] = 0  # quicker than new memory for each of the frames
    return content


def _paint(runs: FrameRuns, classes: ClassTable) -> dict[str, NDArray[np.uint8]]:
    """Return, by tag, the class of each run in that draw order."""
    return {tag: runs.paint(classes.order_ids(tag)) for tag in classes.draw_orders}


def _count(
    runs: FrameRuns, ids: dict[str, NDArray[np.uint8]], tag: str, classes: ClassTable
) -> _DrawnFrame:
    contested = np.zeros(runs.starts.size, np.bool_)
    for others in ids.values():
        contested |= others != ids[tag]
    pixels = np.bincount(ids[tag], runs.lengths, minlength=len(classes))
    return _DrawnFrame(pixels.astype(np.int64), int(runs.lengths[contested].sum()))


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


def _overlay_batch(
    viz_dir: Path | None, frames: tuple[LabelledFrame, ...]
) -> FileBatch | contextlib.nullcontext[None]:
    if viz_dir is None:
        return contextlib.nullcontext()
    return FileBatch(viz_dir, [f"{frame.stem}.jpg" for frame in frames])


def _overlay(dataset: LabelledDataset, frame: LabelledFrame, mask: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    from wristseg.overlay import blend

    content = io.BytesIO()
    Image.fromarray(blend(dataset.image(frame), mask, dataset.classes)).save(
        content, "JPEG", quality=90
    )
    return content.getvalue()


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
    found = {path.name for path in output_dir.glob("*.png") if not path.name.startswith(".")}
    return tuple(sorted(found - written))
