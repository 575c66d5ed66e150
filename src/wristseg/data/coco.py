"""Read a COCO file into frames with checked outlines, listing every fault it has.

In comes the JSON file, the folder of its images and the class table; out go ``Frame`` objects that
are safe to draw (``data.draw``). Categories are matched by name, never by id. Format:
https://cocodataset.org/#format-data. Called by ``data.labels``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from wristseg.classes import ClassTable
from wristseg.data import coco_rules
from wristseg.data.coco_categories import match_categories
from wristseg.data.coco_images import MissingImageError, locate_image
from wristseg.data.coco_rules import RuleError
from wristseg.data.names import frame_stem, source_stem
from wristseg.data.problems import Problem
from wristseg.data.strict_json import read_json, show
from wristseg.errors import DataError

__all__ = ["Annotation", "CocoDataset", "Frame", "examine_coco", "read_coco"]


@dataclass(frozen=True)
class Annotation:
    """One outlined object.

    Attributes:
        id: Its id in the file.
        class_id: Id in the class table.
        polygons_xy: Parts as x, y, x, y, ... in pixels, or None.
        counts: Run lengths of its mask, or None; exactly one of the two is given.
        iscrowd: 0 or 1; drawn alike, since CVAT exports brush masks as crowds.
    """

    id: int
    class_id: int
    polygons_xy: tuple[tuple[float, ...], ...] | None
    counts: tuple[int, ...] | None
    iscrowd: int


@dataclass(frozen=True)
class Frame:
    """One image record with its annotations in the file's order.

    Attributes:
        image_id: Its id in the file.
        file_name: Its name in the file, with ``/`` between folders.
        path: The image file.
        size_hw: Height and width in pixels by the record.
        annotations: Its outlined objects.
        source: Stem before the export renamed it (Roboflow), else that of ``file_name``.
    """

    image_id: int
    file_name: str
    path: Path
    size_hw: tuple[int, int]
    annotations: tuple[Annotation, ...]
    source: str

    @property
    def stem(self) -> str:
        """Name without folders and suffix; unique in a data set."""
        return frame_stem(self.file_name)


@dataclass(frozen=True)
class CocoDataset:
    """The frames of a COCO file, in its order."""

    annotations: Path
    frames: tuple[Frame, ...]
    classes: ClassTable
    warnings: tuple[str, ...] = ()


def read_coco(annotations: Path, images_dir: Path, classes: ClassTable) -> CocoDataset:
    """Read a COCO file that breaks no rule.

    Args:
        annotations: The JSON file.
        images_dir: Folder of the images; see ``locate_image`` for how names are matched.
        classes: Class names to match categories with.

    Raises:
        DataError: The file breaks rules; all of them are listed.
    """
    dataset, problems = examine_coco(annotations, images_dir, classes)
    errors = [problem.text for problem in problems if problem.severity == "error"]
    if errors:
        raise DataError(annotations, errors)
    return dataset


def examine_coco(
    annotations: Path, images_dir: Path, classes: ClassTable
) -> tuple[CocoDataset, list[Problem]]:
    """Read what can be read of a COCO file, and list what is wrong with the rest.

    Returns:
        The frames and annotations that break no rule, and the problems found.

    Raises:
        DataError: The file is not JSON at all.
    """
    table, token_problems = read_json(annotations)
    if not isinstance(table, dict):
        raise DataError(annotations, f"holds {show(table)}, expected an object with COCO's tables")
    problems = [Problem(text) for text in token_problems]
    image_records = _records(table, "images", problems)
    annotation_records = _records(table, "annotations", problems)
    category_records = _records(table, "categories", problems)
    frames = _frames(image_records, images_dir, _annotated_ids(annotation_records), problems)
    class_ids = match_categories(category_records, annotation_records, classes, problems)
    known_images = {record["id"] for record in image_records}
    annotations_of: dict[int, list[Annotation]] = defaultdict(list)
    for record in annotation_records:
        found = _annotation(record, frames, known_images, class_ids, problems)
        if found is not None:
            annotations_of[found[0]].append(found[1])
    for image_id, found_there in annotations_of.items():
        frames[image_id] = replace(frames[image_id], annotations=tuple(found_there))
    _refuse_equal_stems(frames, problems)
    warnings = tuple(problem.text for problem in problems if problem.severity == "warning")
    return CocoDataset(annotations, tuple(frames.values()), classes, warnings), problems


def _records(table: dict[str, Any], key: str, problems: list[Problem]) -> list[dict[str, Any]]:
    """Return the records of one table that have an id of their own."""
    records = table.get(key)
    if not isinstance(records, list):
        problems.append(Problem(f"{key} is {show(records)}, expected a list"))
        return []
    kept: dict[int, dict[str, Any]] = {}
    for place, record in enumerate(records):
        where = f"{key}[{place}]"
        if not isinstance(record, dict):
            problems.append(Problem(f"{where} is {show(record)}, expected an object"))
            continue
        try:
            number = coco_rules.check_id(record, "id")
        except RuleError as error:
            problems.append(Problem(f"{where}: {error}"))
            continue
        if number in kept:
            problems.append(Problem(f"{where}: id {show(number)} is used twice"))
        kept.setdefault(number, record)
    return list(kept.values())


def _annotated_ids(annotation_records: list[dict[str, Any]]) -> set[int]:
    ids = (record.get("image_id") for record in annotation_records)
    return {number for number in ids if isinstance(number, int)}


def _frames(
    records: list[dict[str, Any]],
    images_dir: Path,
    annotated_ids: set[int],
    problems: list[Problem],
) -> dict[int, Frame]:
    """Return the image records that break no rule, by id, without annotations."""
    frames = {}
    for record in records:
        faults: list[str] = []
        file_name = _collect(coco_rules.check_file_name, record, faults)
        size_hw = _collect(coco_rules.check_size_hw, record, faults)
        where = f"image {show(record['id'])}" + (f" ({show(file_name)})" if file_name else "")
        problems += [Problem(f"{where}: {fault}") for fault in faults]
        if file_name is None:
            continue
        try:
            path = locate_image(images_dir, file_name)
        except MissingImageError as error:
            # Tools list frames that nobody labelled; without a label none is missed.
            severity: Literal["error", "warning"] = (
                "error" if record["id"] in annotated_ids else "warning"
            )
            problems.append(
                Problem(f"{where}: {error}", severity, frame_stem(file_name), "missing images")
            )
            path = images_dir / file_name
        except RuleError as error:
            problems.append(Problem(f"{where}: {error}"))
            continue
        if size_hw is not None:
            source = _source(record, file_name)
            frames[record["id"]] = Frame(record["id"], file_name, path, size_hw, (), source)
    return frames


def _collect(check: Any, record: dict[str, Any], faults: list[str]) -> Any:
    try:
        return check(record)
    except RuleError as error:
        faults += error.problems
        return None


def _source(record: dict[str, Any], file_name: str) -> str:
    extra = record.get("extra")
    name = extra.get("name") if isinstance(extra, dict) else None
    return frame_stem(name) if isinstance(name, str) and name else source_stem(file_name)


def _annotation(
    record: dict[str, Any],
    frames: dict[int, Frame],
    known_images: set[int],
    class_ids: dict[int, int | None],
    problems: list[Problem],
) -> tuple[int, Annotation] | None:
    """Return the image's id and its checked annotation, or None if that breaks a rule."""
    where = f"annotation {show(record['id'])}"
    try:
        image_id = coco_rules.check_id(record, "image_id")
    except RuleError as error:
        problems.append(Problem(f"{where}: {error}"))
        return None
    if image_id not in known_images:
        problems.append(Problem(f"{where}: image_id {show(image_id)} is no image of this file"))
        return None
    frame = frames.get(image_id)
    if frame is None:
        return None  # The image's own fault is reported already.
    where = f"{where} of {show(frame.file_name)}"
    faults: list[str] = []
    category_id = _collect(lambda r: coco_rules.check_id(r, "category_id"), record, faults)
    iscrowd = _collect(coco_rules.check_iscrowd, record, faults)
    outline = _collect(
        lambda r: coco_rules.check_segmentation(r.get("segmentation"), frame.size_hw),
        record,
        faults,
    )
    if category_id is not None and category_id not in class_ids:
        faults.append(f"category_id {show(category_id)} is no category of this file")
    problems += [Problem(f"{where}: {fault}", "error", frame.stem) for fault in faults]
    class_id = class_ids.get(category_id)
    if faults or class_id is None:
        return None
    problems += [Problem(f"{where}: {text}", "warning", frame.stem) for text in outline.warnings]
    annotation = Annotation(record["id"], class_id, outline.polygons_xy, outline.counts, iscrowd)
    return image_id, annotation


def _refuse_equal_stems(frames: dict[int, Frame], problems: list[Problem]) -> None:
    """Two images of one stem would get one mask file; so would ``A`` and ``a`` on some systems."""
    by_stem = defaultdict(list)
    for frame in frames.values():
        by_stem[frame.stem.casefold()].append(show(frame.file_name))
    problems += [
        Problem(
            f"{' and '.join(names)} would share one mask file; rename one of the images",
            topic="names",
        )
        for names in by_stem.values()
        if len(names) > 1
    ]
