"""Read the data sets that are to be joined: every image record, what marks say of it, its pixels.

Training asks for the frames that count; joining keeps all of them, excluded ones included, so this
reads beside ``data.labels`` what that leaves out. Called by ``merge``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wristseg.classes import ClassTable, fold_name
from wristseg.data.coco import Frame, examine_coco
from wristseg.data.labels import examine_labels
from wristseg.data.layout import Layout
from wristseg.data.marks import read_excluded, read_selections
from wristseg.data.progress import for_each
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.images import read_image_rgb

__all__ = ["Part", "PartFrame", "read_parts"]


@dataclass(frozen=True)
class Part:
    """A data set that is to be joined with others.

    Attributes:
        path: Its folder.
        layout: Where its parts lie.
        classes: Its class table.
    """

    path: Path
    layout: Layout
    classes: ClassTable


@dataclass(frozen=True)
class PartFrame:
    """An image record of one of them.

    Attributes:
        part: The data set.
        frame: The record with its annotations; none where nobody labelled it.
        grasp: Whether ``selections.json`` marks it.
        excluded: Whether ``excluded.json`` leaves it out.
        pixels_sha256: Hash of the decoded image: the same for a copy in another format.
    """

    part: Part
    frame: Frame
    grasp: bool
    excluded: bool
    pixels_sha256: str

    @property
    def names(self) -> frozenset[str]:
        """Its stem, and the one before an annotation tool renamed it, in lower case."""
        return frozenset({self.frame.stem.casefold(), self.frame.source.casefold()})


def read_parts(paths: Sequence[Path]) -> tuple[list[PartFrame], list[str]]:
    """Read data sets in the order in which they are given.

    Returns:
        Their frames in order, and warnings.

    Raises:
        UsageError: A folder is not there.
        DataError: Labels, marks or images break rules, the class tables differ, or a data set has
            ready-made masks; everything that was found is listed.
    """
    parts, warnings, problems = [], [], []
    for path in paths:
        dataset, found = examine_labels(DatasetPaths(path))
        parts.append(Part(path, dataset.layout, dataset.classes))
        problems += [f"{path}: {p.text}" for p in found if p.severity == "error"]
        warnings += [f"{path}: {p.text}" for p in found if p.severity == "warning"]
        if dataset.layout.annotations is None:
            problems.append(
                f"{path}: has ready-made masks, which COCO cannot hold (255 = ignore); give the "
                "COCO export, or mix it into a training: wristseg train --mix"
            )
    problems += _table_problems(parts)
    if problems:
        raise DataError("merge", problems)
    frames, damages = _hashed([record for part in parts for record in _records(part)])
    problems = [text for record, text in damages if not record.excluded]
    if problems:
        raise DataError("merge", problems)
    warnings += [f"{text} (the frame is excluded, and left out)" for _, text in damages]
    return frames, warnings


def _table_problems(parts: Sequence[Part]) -> list[str]:
    def folded(part: Part) -> object:
        table = part.classes
        orders = {tag: tuple(map(fold_name, order)) for tag, order in table.draw_orders.items()}
        return tuple(map(fold_name, table.names)), orders

    first = parts[0]
    return [
        f"{part.path}: its classes or their draw orders are not those of {first.path} "
        f"({', '.join(part.classes.names)}; expected {', '.join(first.classes.names)}); give both "
        "the same dataset.yaml"
        for part in parts[1:]
        if folded(part) != folded(first)
    ]


def _records(part: Part) -> list[PartFrame]:
    assert part.layout.annotations is not None
    coco, _ = examine_coco(part.layout.annotations, part.layout.images_dir, part.classes)
    grasp, excluded = read_selections(part.layout.selections), read_excluded(part.layout.excluded)
    return [
        PartFrame(
            part=part,
            frame=frame,
            grasp=bool({frame.stem, frame.source} & grasp),
            excluded=bool({frame.stem, frame.source} & excluded),
            pixels_sha256="",
        )
        for frame in coco.frames
        if frame.path.is_file()  # a missing image is an error, or warned of, by examine_labels
    ]


def _hashed(
    records: Sequence[PartFrame],
) -> tuple[list[PartFrame], list[tuple[PartFrame, str]]]:
    """Return the frames with their hashes, and those whose images cannot be decoded."""

    def hash_or_damage(record: PartFrame) -> tuple[str | None, str]:
        try:
            rgb = read_image_rgb(record.frame.path)
        except DataError as error:
            return None, str(error)
        return hashlib.sha256(f"{rgb.shape}".encode() + rgb.tobytes()).hexdigest(), ""

    frames, damages = [], []
    found = for_each(hash_or_damage, records, doing="comparing images")
    for record, (sha256, damage) in zip(records, found, strict=True):
        if sha256 is None:
            damages.append((record, damage))
        else:
            frames.append(
                PartFrame(record.part, record.frame, record.grasp, record.excluded, sha256)
            )
    return frames, damages
