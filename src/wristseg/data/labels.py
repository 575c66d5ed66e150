"""The one way to a labelled data set: find it, read it, check it against its images.

In comes where the data set lies; out goes a ``LabelledDataset`` of the frames that count (annotated
and not excluded). Training, ``wristseg masks`` and ``wristseg check`` all start here, so that they
see the same frames and the same pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wristseg.classes import ClassTable
from wristseg.data.coco import Frame, examine_coco
from wristseg.data.labelled import LabelledDataset, LabelledFrame, size_fault
from wristseg.data.layout import Layout, find_layout, list_images
from wristseg.data.marks import read_excluded, read_selections
from wristseg.data.names import recording_of
from wristseg.data.problems import Problem
from wristseg.data.ready_masks import find_masks
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.images import image_size_hw

__all__ = [
    "Candidate",
    "Candidates",
    "LabelledDataset",
    "LabelledFrame",
    "examine_labels",
    "load_labels",
    "read_candidates",
]

#: Of a long list of file names the first few say which kind they are.
_NAMES_SHOWN = 5


def load_labels(paths: DatasetPaths, *, masks_dir: Path | None = None) -> LabelledDataset:
    """Read a data set and refuse it if any rule is broken.

    Args:
        paths: Where the data set lies.
        masks_dir: Folder of ready-made PNG masks to use instead of the COCO file's outlines.

    Raises:
        UsageError: A named folder or file is not there.
        DataError: Labels, marks or image sizes break rules (all are listed), or no frame is left.
    """
    dataset, problems = examine_labels(paths, masks_dir=masks_dir)
    errors = [problem.text for problem in problems if problem.severity == "error"]
    if errors:
        raise DataError(_where(paths, dataset.layout, masks_dir, problems), errors)
    if not dataset.frames:
        raise DataError(
            paths.dataset_path,
            f"no frame is left to use: {len(dataset.excluded)} excluded,"
            f" {len(dataset.without_annotation)} without annotation",
        )
    return dataset


def _where(
    paths: DatasetPaths, layout: Layout, masks_dir: Path | None, problems: list[Problem]
) -> Path:
    if any(problem.topic == "marks" for problem in problems):
        return paths.dataset_path  # several files; each problem names its own
    return layout.annotations or masks_dir or paths.dataset_path


def examine_labels(
    paths: DatasetPaths, *, masks_dir: Path | None = None
) -> tuple[LabelledDataset, list[Problem]]:
    """Read what can be read of a data set, and list what is wrong with the rest.

    Raises:
        UsageError: A named folder or file is not there.
        DataError: No known layout, or no readable class table.
    """
    read = read_candidates(paths, masks_dir=masks_dir)
    layout, classes, candidates = read.layout, read.classes, read.candidates
    problems = list(read.problems)
    marks = _Marks(
        _read_marks(read_selections, layout.selections, problems),
        _read_marks(read_excluded, layout.excluded, problems),
    )
    problems += marks.unmatched(candidates)
    excluded = {c.stem for c in candidates if marks.excludes(c)}
    problems = [_unless_excluded(problem, excluded) for problem in problems]
    frames = [marks.frame(c) for c in candidates if c.labelled and c.stem not in excluded]
    missing = {problem.stem for problem in problems if problem.topic == "missing images"}
    frames, size_problems = _with_right_size([f for f in frames if f.stem not in missing])
    problems += size_problems
    dataset = LabelledDataset(
        layout=layout,
        classes=classes,
        frames=tuple(sorted(frames, key=lambda frame: frame.stem)),
        excluded=tuple(sorted(excluded)),
        without_annotation=tuple(
            sorted(c.stem for c in candidates if not c.labelled and c.stem not in excluded)
        ),
        warnings=tuple(problem.text for problem in problems if problem.severity == "warning"),
    )
    return dataset, problems


def read_candidates(paths: DatasetPaths, *, masks_dir: Path | None = None) -> Candidates:
    """Read the images of a data set and their labels, whatever is marked.

    Raises:
        UsageError: A named folder or file is not there.
        DataError: No known layout, or no readable class table.
    """
    layout = find_layout(paths)
    classes = ClassTable.of_dataset(paths.dataset_path)
    if masks_dir is None and layout.kind == "masks":
        masks_dir = paths.dataset_path / "masks"
    if masks_dir is not None:
        candidates, problems = _from_masks(layout, masks_dir, classes)
    else:
        candidates, problems = _from_coco(layout, classes)
    return Candidates(layout, classes, tuple(candidates), tuple(problems))


@dataclass(frozen=True)
class Candidate:
    """An image of the data set before marks are applied.

    Attributes:
        stem: Name without folders and suffix.
        source: The stem that it had before an annotation tool renamed it.
        image_path: The image file; it may be missing, which is a problem then.
        size_hw: Height and width of its labels, in pixels.
        labelled: Whether anybody labelled it.
        coco: Its outlines, where the labels are COCO's.
        mask_path: Its ready-made mask, where the labels are PNG files.
    """

    stem: str
    source: str
    image_path: Path
    size_hw: tuple[int, int]
    labelled: bool
    coco: Frame | None = None
    mask_path: Path | None = None


@dataclass(frozen=True)
class Candidates:
    """All images of a data set, in its order, and what is wrong with it."""

    layout: Layout
    classes: ClassTable
    candidates: tuple[Candidate, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Marks:
    """Stems marked as grasp and as excluded; a frame may be marked under its source's name."""

    grasp: frozenset[str]
    excluded: frozenset[str]

    def excludes(self, candidate: Candidate) -> bool:
        return bool({candidate.stem, candidate.source} & self.excluded)

    def frame(self, candidate: Candidate) -> LabelledFrame:
        grasp = bool({candidate.stem, candidate.source} & self.grasp)
        return LabelledFrame(
            stem=candidate.stem,
            image_path=candidate.image_path,
            size_hw=candidate.size_hw,
            tag="grasp" if grasp else "default",
            recording=recording_of(candidate.source),
            coco=candidate.coco,
            mask_path=candidate.mask_path,
        )

    def unmatched(self, candidates: Sequence[Candidate]) -> list[Problem]:
        known = {name for c in candidates for name in (c.stem, c.source)}
        return [
            Problem(
                f"{file} marks {name!r}, which is no image of the data set",
                "warning",
                topic="names",
            )
            for file, names in (("selections", self.grasp), ("excluded", self.excluded))
            for name in sorted(names - known)
        ]


def _read_marks(
    read: Callable[[Path | None], frozenset[str]], path: Path | None, problems: list[Problem]
) -> frozenset[str]:
    try:
        return read(path)
    except DataError as error:
        assert path is not None
        problems += [Problem(f"{path.name}: {text}", topic="marks") for text in error.problems]
        return frozenset()


def _from_coco(layout: Layout, classes: ClassTable) -> tuple[list[Candidate], list[Problem]]:
    assert layout.annotations is not None
    try:
        coco, problems = examine_coco(layout.annotations, layout.images_dir, classes)
    except DataError as error:
        return [], [Problem(text) for text in error.problems]
    candidates = [
        Candidate(
            stem=frame.stem,
            source=frame.source,
            image_path=frame.path,
            size_hw=frame.size_hw,
            labelled=bool(frame.annotations),
            coco=frame,
        )
        for frame in coco.frames
    ]
    return candidates, problems + _unlisted_images([frame.path for frame in coco.frames])


def _unlisted_images(listed: list[Path]) -> list[Problem]:
    """Return a warning about images that lie beside those of the COCO file and are not in it."""
    known = {path.name for path in listed}
    found = {path for folder in {path.parent for path in listed} for path in list_images(folder)}
    extra = sorted(path.name for path in found if path.name not in known)
    if not extra:
        return []
    shown = [os.fsencode(name).decode(errors="backslashreplace") for name in extra[:_NAMES_SHOWN]]
    names = ", ".join(shown) + (", ..." if len(extra) > _NAMES_SHOWN else "")
    text = f"images that the COCO file does not list, and that are not used: {len(extra)} ({names})"
    return [Problem(text, "warning", topic="names")]


def _from_masks(
    layout: Layout, masks_dir: Path, classes: ClassTable
) -> tuple[list[Candidate], list[Problem]]:
    found, problems = find_masks(layout.images_dir, masks_dir, classes)
    candidates = [
        Candidate(
            stem=pair.stem,
            source=pair.source,
            image_path=pair.image_path,
            size_hw=pair.size_hw,
            labelled=pair.mask_path is not None,
            mask_path=pair.mask_path,
        )
        for pair in found
    ]
    return candidates, problems


def _unless_excluded(problem: Problem, excluded: set[str]) -> Problem:
    if problem.severity == "warning" or problem.stem not in excluded:
        return problem
    return replace(problem, text=f"{problem.text} (the frame is excluded)", severity="warning")


def _with_right_size(
    frames: list[LabelledFrame],
) -> tuple[list[LabelledFrame], list[Problem]]:
    """Drop the frames whose image has another size than its labels, by the images' headers."""
    kept, problems = [], []
    for frame in frames:
        try:
            image_hw = image_size_hw(frame.image_path)
        except DataError as error:
            problems.append(Problem(str(error), "error", frame.stem, "image files"))
            continue
        if image_hw == frame.size_hw:
            kept.append(frame)
        else:
            text = f"{frame.image_path.name}: {size_fault(image_hw, frame.size_hw)}"
            problems.append(Problem(text, "error", frame.stem, "image sizes"))
    return kept, problems
