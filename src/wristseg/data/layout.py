"""Find the parts of a data set by the layout in which annotation tools export them.

In comes the data set's folder (or the files named on the command line), out goes a ``Layout``;
nothing is opened here. The layouts stand in ``docs/formats.md``. Called by ``data.labels``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.images import IMAGE_SUFFIXES

__all__ = ["Kind", "Layout", "find_layout", "list_images"]

Kind = Literal["cvat", "roboflow", "salt", "label-studio", "explicit", "masks"]

_ROBOFLOW_FILE = "_annotations.coco.json"
_LABEL_STUDIO_FILE = "result.json"


@dataclass(frozen=True)
class Layout:
    """Where the parts of one data set lie.

    Attributes:
        kind: How it was found; ``masks`` is images with ready-made PNG masks and no COCO file.
        annotations: The COCO file, or None for ``masks``.
        images_dir: Folder that the images' names start from.
        selections: File of grasp marks, or None.
        excluded: File of exclusion marks, or None.
    """

    kind: Kind
    annotations: Path | None
    images_dir: Path
    selections: Path | None
    excluded: Path | None


def find_layout(paths: DatasetPaths) -> Layout:
    """Find annotations, images and marks of a data set.

    Raises:
        UsageError: A folder or file that was named is not there.
        DataError: The folder holds no layout that is known, or more than one.
    """
    _require_named(paths)
    selections, excluded = paths.selections, paths.excluded
    if selections is None:
        selections = _present(paths.dataset_path / "selections.json")
    if excluded is None:
        excluded = _present(paths.dataset_path / "excluded.json")
    if paths.annotations is not None and paths.images is not None:
        return Layout("explicit", paths.annotations, paths.images, selections, excluded)
    found = list(_exports_in(paths.dataset_path))
    if len(found) > 1:
        files = ", ".join(str(file) for _, file, _ in found)
        raise DataError(
            paths.dataset_path,
            f"several COCO files: {files}; "
            + (f"say which: {_BY_OPTION}" if paths.by_option else "leave one of them there"),
        )
    if found:
        return Layout(*found[0], selections, excluded)
    if (paths.dataset_path / "masks").is_dir():
        images_dir = _image_folder(paths.dataset_path)
        return Layout("masks", None, images_dir, selections, excluded)
    raise DataError(paths.dataset_path, _nothing_found(paths))


def list_images(folder: Path) -> list[Path]:
    """Return the files that have an image's suffix, sorted.

    Those in the folder itself; only where it has none, those in folders below it.
    """
    return _images_among(folder.glob("*")) or _images_among(folder.rglob("*"))


_BY_OPTION = "--annotations FILE --images DIR"


def _require_named(paths: DatasetPaths) -> None:
    if not paths.by_option and not paths.dataset_path.is_dir():
        raise UsageError(f"{paths.dataset_path}: no such folder")
    folders = {"--dataset-path": paths.dataset_path, "--images": paths.images}
    files = {
        "--annotations": paths.annotations,
        "--selections": paths.selections,
        "--excluded": paths.excluded,
    }
    missing = [
        f"{option} {path}: no such folder"
        for option, path in folders.items()
        if path is not None and not path.is_dir()
    ] + [
        f"{option} {path}: no such file"
        for option, path in files.items()
        if path is not None and not path.exists()
    ]
    if missing:
        raise UsageError("; ".join(missing))


def _exports_in(folder: Path) -> Iterator[tuple[Kind, Path, Path]]:
    cvat = sorted((folder / "annotations").glob("instances_*.json"))
    for file in [*cvat, *sorted(folder.glob("instances_*.json"))]:
        subset = file.stem.removeprefix("instances_")
        yield "cvat", file, _image_folder(folder, subset=subset)
    if (folder / _ROBOFLOW_FILE).exists():
        yield "roboflow", folder / _ROBOFLOW_FILE, folder
    if (folder / "annotations.json").exists():
        yield "salt", folder / "annotations.json", _image_folder(folder)
    if (folder / _LABEL_STUDIO_FILE).exists():
        yield "label-studio", folder / _LABEL_STUDIO_FILE, _image_folder(folder)


def _image_folder(folder: Path, *, subset: str = "default") -> Path:
    candidates = (folder / "images" / subset, folder / "images")
    # Annotations downloaded alone are often put right beside the frames.
    return next((path for path in candidates if path.is_dir()), folder)


def _images_among(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def _present(path: Path) -> Path | None:
    return path if path.exists() else None


def _nothing_found(paths: DatasetPaths) -> str:
    folder = paths.dataset_path
    parts = ("train", "valid", "test")
    splits = [name for name in parts if (folder / name / _ROBOFLOW_FILE).exists()]
    if splits:
        return (
            f"a Roboflow export with its parts in {', '.join(splits)}; give the folder that holds"
            f" {_ROBOFLOW_FILE}, for example {folder / splits[0]} (wristseg draws its own split)"
        )
    others = sorted(file.name for file in folder.glob("*.json"))
    seen = f" (JSON files there: {', '.join(others[:5])})" if others else ""
    return (
        "no COCO export found; looked for annotations/instances_*.json, instances_*.json (CVAT),"
        f" {_ROBOFLOW_FILE} (Roboflow), annotations.json (SALT), {_LABEL_STUDIO_FILE} (Label"
        f" Studio) and masks/*.png{seen}; "
        + (f"name the parts with {_BY_OPTION}" if paths.by_option else "give the export's folder")
    )
