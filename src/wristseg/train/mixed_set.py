"""The second data set of a training (``--mix``): read, and held against the first.

Called by ``train.data``.
"""

from __future__ import annotations

from pathlib import Path

from wristseg.data.check_facts import duplicate_images
from wristseg.data.labels import LabelledDataset, load_labels
from wristseg.data.split import Split
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError

__all__ = ["load_mix"]


def load_mix(path: Path, dataset: LabelledDataset, split: Split) -> LabelledDataset:
    """Read the data set to mix in: a COCO export, or images with ready-made masks.

    Args:
        path: Its folder.
        dataset: The first data set.
        split: Its two sides; none of its validation frames may be mixed into training.

    Raises:
        UsageError: There is no such folder.
        DataError: Its labels break a rule, its classes are others, or it holds validation frames.
    """
    mix = load_labels(DatasetPaths(path))
    if mix.classes.names != dataset.classes.names:
        raise DataError(
            path,
            f"its classes are {', '.join(mix.classes.names)}, those of the first data set "
            f"{', '.join(dataset.classes.names)}; --mix needs the same names in the same order",
        )
    val = set(split.val)
    held_out = [frame for frame in dataset.frames if frame.stem in val]
    shared = duplicate_images([*held_out, *mix.frames])
    problems = [
        f"{', '.join(stems)}: the same image in validation and in --mix; leave it out of one"
        for stems in shared
        if val.intersection(stems)
    ]
    if problems:
        raise DataError(path, problems)
    return mix
