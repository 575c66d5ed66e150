"""Where a data set's parts lie, as the options of a command say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wristseg.errors import UsageError

__all__ = ["DatasetPaths", "NamesParts", "named_parts"]


@dataclass(frozen=True)
class DatasetPaths:
    """Where a data set's parts lie; None means: look for it below the data set's folder.

    Attributes:
        dataset_path: The folder.
        annotations: COCO file.
        images: Folder of the images.
        selections: Grasp marks.
        excluded: Exclusion marks.
        by_option: Whether the parts can be named one by one, with ``--annotations`` and others;
            messages advise only what the command has.
    """

    dataset_path: Path
    annotations: Path | None = None
    images: Path | None = None
    selections: Path | None = None
    excluded: Path | None = None
    by_option: bool = False

    def __post_init__(self) -> None:
        if (self.annotations is None) != (self.images is None):
            raise UsageError("--annotations and --images go together: give both or neither")


class _Parts(Protocol):
    @property
    def annotations(self) -> Path | None: ...
    @property
    def images(self) -> Path | None: ...
    @property
    def selections(self) -> Path | None: ...
    @property
    def excluded(self) -> Path | None: ...


class _FolderAndParts(_Parts, Protocol):
    @property
    def dataset_path(self) -> Path: ...


def named_parts(folder: Path, parts: _Parts) -> DatasetPaths:
    """Return where a data set lies whose parts a command's options may name."""
    return DatasetPaths(
        folder, parts.annotations, parts.images, parts.selections, parts.excluded, by_option=True
    )


class NamesParts:
    """For the options of a command that always has a data set."""

    def dataset(self: _FolderAndParts) -> DatasetPaths:
        """Return the part that says where the data set lies."""
        return named_parts(self.dataset_path, self)
