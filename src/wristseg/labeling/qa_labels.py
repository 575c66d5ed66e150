"""Read a data set for ``wristseg qa``: every labelled frame, whatever is marked as excluded.

Marks must not steer what is found: a frame that was left out by hand is trained on and judged like
any other. Trainings read marks from a file, so one without marks is written for them; it names only
those excluded frames that cannot be read at all. Called by ``cli.qa``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from wristseg.artifacts import write_json
from wristseg.data.labels import LabelledDataset, LabelledFrame, examine_labels, load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError

__all__ = ["LEFT_OUT", "AllLabels", "load_all_labels"]

LEFT_OUT = "left_out.json"


@dataclass(frozen=True)
class AllLabels:
    """A data set whose excluded frames count.

    Attributes:
        dataset: All frames that are labelled and can be read.
        paths: Where it lies, with the file of marks that leaves nothing out.
        excluded: Stems of the frames that are marked as excluded.
        unreadable: Stems of excluded frames that cannot be read, with the reason.
    """

    dataset: LabelledDataset
    paths: DatasetPaths
    excluded: frozenset[str]
    unreadable: Mapping[str, str]


def load_all_labels(paths: DatasetPaths, folder: Path) -> AllLabels:
    """Read a data set, its excluded frames included.

    Args:
        paths: Where it lies.
        folder: Where the file of marks for trainings is written, once all labels are sound.

    Raises:
        UsageError: A named folder or file is not there.
        DataError: Labels, marks or images break rules (all are listed), or no frame is left. An
            excluded frame that cannot be read is left out instead.
    """
    excluded = frozenset(load_labels(paths).excluded)
    with tempfile.TemporaryDirectory() as temporary:
        marks = Path(temporary) / LEFT_OUT
        everything = replace(paths, excluded=marks)
        _write(marks, {})
        unreadable = _unreadable(everything, excluded)
        _write(marks, unreadable)
        load_labels(everything)
    _write(folder / LEFT_OUT, unreadable)
    everything = replace(paths, excluded=folder / LEFT_OUT)
    return AllLabels(load_labels(everything), everything, excluded, unreadable)


def _unreadable(paths: DatasetPaths, excluded: frozenset[str]) -> dict[str, str]:
    """Return the excluded frames that break a rule or cannot be decoded, with the reasons."""
    dataset, problems = examine_labels(paths)
    found = {
        problem.stem: problem.text
        for problem in problems
        if problem.severity == "error" and problem.stem in excluded and problem.stem is not None
    }
    for frame in dataset.frames:
        if frame.stem in excluded and frame.stem not in found:
            reason = _damage(dataset, frame)
            if reason is not None:
                found[frame.stem] = reason
    return found


def _damage(dataset: LabelledDataset, frame: LabelledFrame) -> str | None:
    try:
        dataset.image(frame)
        dataset.mask(frame)
    except DataError as error:
        return str(error)
    return None


def _write(path: Path, stems: Mapping[str, str]) -> None:
    write_json(path, {"marks": dict.fromkeys(sorted(stems), "Excluded")})
