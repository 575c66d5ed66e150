"""Rendered data sets of start weights: which frames train, which validate, and at which sizes.

In: folders of ``wristseg render --exact-masks``. Out: ``RenderedSet``, all of them or those of one
size. Called by ``scripts/pretrain.py``, which trains one network at several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.labels import load_labels
from wristseg.data.progress import for_each
from wristseg.data.strict_json import read_json
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError

__all__ = ["RenderedSet", "reaching", "read_rendered"]

#: A burst of frames has one look; all of it is on one side of the split.
_BURST = 3


@dataclass(frozen=True)
class RenderedSet:
    """A rendered data set, split.

    Attributes:
        dataset: Its frames, with exact masks.
        train: Stems that train.
        val: Stems that validate, of the last bursts.
        seed: What it was rendered from, or None where it does not say.
    """

    dataset: LabelledDataset
    train: tuple[str, ...]
    val: tuple[str, ...]
    seed: int | None


def read_rendered(folders: Sequence[Path], *, val_share: float) -> list[RenderedSet]:
    """Read data sets of one class table.

    Args:
        folders: Of the data sets.
        val_share: Share of the frames of each that validates.

    Raises:
        UsageError: A folder has no exact masks.
        DataError: A data set is damaged, too small for the share, or of other classes.
    """
    sets = for_each(lambda folder: _read(folder, val_share), folders, doing="reading data sets")
    for folder, rendered in zip(folders, sets, strict=True):
        if rendered.dataset.classes != sets[0].dataset.classes:
            raise DataError(folder, f"its classes are not those of {folders[0]}")
    return sets


def reaching(sets: Sequence[RenderedSet], size_hw: tuple[int, int]) -> list[RenderedSet]:
    """Return what of the data sets is as large as a size.

    Enlarged frames show edges that no camera does. A data set that has nothing left to train on, or
    to validate on, is left out.
    """
    reached = []
    for rendered in sets:
        large = {frame.stem for frame in rendered.dataset.frames if _reaches(frame, size_hw)}
        train, val = (
            tuple(stem for stem in stems if stem in large)
            for stems in (rendered.train, rendered.val)
        )
        if train and val:
            reached.append(RenderedSet(rendered.dataset, train, val, rendered.seed))
    return reached


def _read(folder: Path, val_share: float) -> RenderedSet:
    masks = folder / "exact_masks"
    if folder.is_dir() and not masks.is_dir():
        raise UsageError(f"{folder}: no exact_masks in it; render it with --exact-masks")
    dataset = load_labels(DatasetPaths(folder), masks_dir=masks)
    stems = sorted(frame.stem for frame in dataset.frames)
    kept = round(len(stems) * (1 - val_share)) // _BURST * _BURST
    if not 0 < kept < len(stems):
        raise DataError(
            folder,
            f"of {len(stems)} frames {kept} would train, in bursts of {_BURST}, and "
            f"{len(stems) - kept} validate; give more frames or another --val-share",
        )
    return RenderedSet(dataset, tuple(stems[:kept]), tuple(stems[kept:]), _seed_of(folder))


def _seed_of(folder: Path) -> int | None:
    path = folder / "origin.json"
    if not path.is_file():
        return None
    origin, _ = read_json(path)
    options = origin.get("options") if isinstance(origin, dict) else None
    seed = options.get("seed") if isinstance(options, dict) else None
    return seed if isinstance(seed, int) else None


def _reaches(frame: LabelledFrame, size_hw: tuple[int, int]) -> bool:
    return frame.size_hw[0] >= size_hw[0] and frame.size_hw[1] >= size_hw[1]
