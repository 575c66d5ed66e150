"""Stage ``wristseg merge``: data sets and corrected exports joined to one COCO data set.

In: folders of COCO data sets. Out: one in CVAT's layout, images copied byte for byte, outlines to
the last digit, marks joined; it appears whole or not at all, and the inputs stay as they are. The
same image in two of them is one image; where their labels differ, nothing is guessed. Called by
``cli.merge``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wristseg.artifacts import git_commit, versions, write_json, write_text
from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.data.draw import class_planes
from wristseg.errors import DataError, UsageError
from wristseg.labeling.coco_table import coco_table
from wristseg.labeling.config import MergeConfig
from wristseg.labeling.folder import NewFolder
from wristseg.labeling.parts import PartFrame, read_parts
from wristseg.model_info import json_values

__all__ = ["RECORD", "MergeSummary", "MergedFrame", "merge"]

RECORD = "merge.json"
_ANNOTATIONS, _IMAGES = Path("annotations/instances_default.json"), Path("images/default")
_MADE = frozenset(
    {RECORD, "annotations", "dataset.yaml", "excluded.json", "images", "selections.json"}
)


@dataclass(frozen=True)
class MergedFrame:
    """One image of the new data set.

    Attributes:
        image: The record whose file and name it has: the first one given.
        labels: The record whose annotations it has.
        copies: How many records show this image.
        replaced: Whether other annotations gave way to these.
        grasp: Whether it is marked as grasp.
        excluded: Whether it is left out of training.
    """

    image: PartFrame
    labels: PartFrame
    copies: int
    replaced: bool
    grasp: bool
    excluded: bool

    @property
    def file_name(self) -> str:
        """Its name in the new data set."""
        return self.image.frame.path.name


@dataclass(frozen=True)
class MergeSummary:
    """What was joined.

    Attributes:
        output: The folder.
        frames: Images of the new data set, in order.
        warnings: What is odd but stops nothing.
    """

    output: Path
    frames: tuple[MergedFrame, ...]
    warnings: tuple[str, ...]


def merge(config: MergeConfig) -> MergeSummary:
    """Join data sets.

    Raises:
        UsageError: A folder is not there, or an output folder that may not be written.
        DataError: A data set breaks rules, two images share a name, or labels of one image differ
            and none are preferred; all of them are listed.
    """
    target = _target(config)
    records, warnings = read_parts(config.datasets)
    problems = _name_clashes(records)
    merged, conflicts = _joined(records, prefer_last=config.prefer == "last")
    if problems or conflicts:
        raise DataError("merge", [*problems, *conflicts])
    with target.written() as folder:
        _write(folder, merged, records[0].part.classes, config, warnings)
    return MergeSummary(config.output, tuple(merged), tuple(warnings))


def _target(config: MergeConfig) -> NewFolder:
    target = NewFolder(config.output, config.datasets, _MADE, RECORD, config.overwrite)
    inside = [p for p in config.datasets if config.output.resolve().is_relative_to(p.resolve())]
    if inside:
        raise UsageError(
            f"--output {config.output}: lies in the data set {inside[0]}, which is not to be "
            "changed; choose another folder"
        )
    return target


def _name_clashes(records: Sequence[PartFrame]) -> list[str]:
    """List the images of different data sets that share a name and are not the same image."""
    pixels = {(record.part.path, record.pixels_sha256) for record in records}
    first: dict[str, PartFrame] = {}
    clashes = {}
    for record in records:
        for name in sorted(record.names):
            other = first.setdefault(name, record)
            if (
                other.part is not record.part
                and other.pixels_sha256 != record.pixels_sha256
                and (other.part.path, record.pixels_sha256) not in pixels
            ):
                clashes[record.frame.path] = (
                    f"{record.frame.path} has the name of {other.frame.path} and other pixels; "
                    "rename one of them, or give the image that was annotated (Roboflow "
                    "compresses images again)"
                )
    return list(clashes.values())


def _joined(
    records: Sequence[PartFrame], *, prefer_last: bool
) -> tuple[list[MergedFrame], list[str]]:
    """Return one frame per image, and one line for each whose labels differ and are not chosen."""
    groups: dict[str, list[PartFrame]] = {}
    for record in records:
        groups.setdefault(record.pixels_sha256, []).append(record)
    merged, conflicts = [], []
    for copies in groups.values():
        labels, conflict = _chosen(copies, prefer_last=prefer_last)
        replaced = conflict is not None
        if replaced and (not prefer_last or _in_one_data_set(copies)):
            conflicts.append(str(conflict))
        # An exclusion is a verdict on annotations, a grasp mark on what the image shows.
        own_marks = replaced and labels.part.layout.selections is not None
        merged.append(
            MergedFrame(
                image=copies[0],
                labels=labels,
                copies=len(copies),
                replaced=replaced,
                grasp=labels.grasp if own_marks else any(copy.grasp for copy in copies),
                excluded=labels.excluded if replaced else any(copy.excluded for copy in copies),
            )
        )
    return merged, conflicts


def _chosen(copies: Sequence[PartFrame], *, prefer_last: bool) -> tuple[PartFrame, str | None]:
    """Return the record whose annotations count, and what differs between them, if anything."""
    labelled = [copy for copy in copies if copy.frame.annotations]
    if not labelled:
        return copies[0], None
    first = labelled[0]
    for other in labelled[1:]:
        pixels = _differing_pixels(first, other)
        if pixels:
            return (
                labelled[-1] if prefer_last else first,
                f"{first.frame.path} and {other.frame.path} are the same image with labels that "
                f"differ in {pixels} pixels; correct one of them"
                + (
                    ""
                    if _in_one_data_set(copies)
                    else ", or add --prefer last for those of the data set that is given last"
                ),
            )
    return first, None


def _in_one_data_set(copies: Sequence[PartFrame]) -> bool:
    """Tell whether the last data set that labels an image does so twice: then none is the last."""
    labelled = [copy for copy in copies if copy.frame.annotations]
    return len(labelled) > 1 and labelled[-1].part is labelled[-2].part


def _differing_pixels(one: PartFrame, other: PartFrame) -> int:
    """Count the pixels whose classes differ: tools write one outline in several ways."""
    planes, others = class_planes(one.frame), class_planes(other.frame)
    nothing = np.zeros(one.frame.size_hw, np.bool_)
    if one.frame.size_hw != other.frame.size_hw:  # only excluded frames come so far
        return nothing.size
    differ = nothing.copy()
    for class_id in planes.keys() | others.keys():
        differ |= planes.get(class_id, nothing) != others.get(class_id, nothing)
    return int(np.count_nonzero(differ))


def _write(
    folder: Path,
    merged: Sequence[MergedFrame],
    classes: ClassTable,
    config: MergeConfig,
    warnings: Sequence[str],
) -> None:
    (folder / _IMAGES).mkdir(parents=True)
    for frame in merged:
        shutil.copyfile(frame.image.frame.path, folder / _IMAGES / frame.file_name)
    table = coco_table(
        [(f.file_name, f.labels.frame.size_hw, f.labels.frame.annotations) for f in merged],
        classes,
        description=f"wristseg merge {' '.join(map(str, config.datasets))}",
    )
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_text(folder / _ANNOTATIONS, text + "\n")
    grasp = {frame.file_name: "Grasp" for frame in merged if frame.grasp}
    excluded = {frame.file_name: "Excluded" for frame in merged if frame.excluded}
    write_json(folder / "selections.json", {"marks": grasp})
    write_json(folder / "excluded.json", {"marks": excluded})
    if classes != DEFAULT_CLASSES:
        write_text(folder / "dataset.yaml", classes.to_yaml())
    write_json(folder / RECORD, _record(merged, config, warnings))


def _record(
    merged: Sequence[MergedFrame], config: MergeConfig, warnings: Sequence[str]
) -> dict[str, object]:
    return {
        "command": "wristseg merge",
        "options": json_values(asdict(config)),
        "images": {
            frame.file_name: {
                "image_from": str(frame.image.part.path),
                "labels_from": str(frame.labels.part.path),
                "copies": frame.copies,
                "replaced_other_labels": frame.replaced,
            }
            for frame in merged
        },
        "warnings": list(warnings),
        "git_commit": git_commit(),
        "versions": versions(),
    }
