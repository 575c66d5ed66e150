"""Decides where results go, before anything is computed.

In: the sources and ``--output``. Out: one set of paths per source, none of them twice and none of
them a source.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wristseg.errors import DataError, UsageError
from wristseg.images import IMAGE_SUFFIXES
from wristseg.predict.sources import VIDEO_SUFFIXES, Source

__all__ = ["DEFAULT_FOLDER", "OutputPlan", "Outputs", "distinct_names", "plan_outputs"]

DEFAULT_FOLDER = Path("outputs/predictions")

#: Formats that can be written, by what is shown in them.
_OVERLAY_SUFFIXES = {
    "image": (".png", ".jpg", ".jpeg"),
    "video": (".mp4", ".mkv", ".mov"),
}
_MASK_SUFFIX = {"image": ".png", "video": ".mkv"}


@dataclass(frozen=True)
class Outputs:
    """Files made from one source.

    Attributes:
        name: What the files' names begin with; differs between sources.
        overlay: Frame with class colours over it.
        mask: Class ids; written on request.
    """

    name: str
    overlay: Path
    mask: Path


@dataclass(frozen=True)
class OutputPlan:
    """Where everything of one run goes.

    Attributes:
        folder: Folder of all files.
        items: One per source, in the same order.
        single_file: True if the user named the overlay file itself.
    """

    folder: Path
    items: tuple[Outputs, ...]
    single_file: bool


def plan_outputs(sources: Sequence[Source], output: Path | None) -> OutputPlan:
    """Choose the files to write.

    Args:
        sources: What will be predicted.
        output: A folder; or, for one source, a file with a suffix that can be written.

    Raises:
        UsageError: ``output`` names a file for several sources or in a format that cannot be
            written, or it would fall upon a source.
        DataError: A file stands where the folder should be.
    """
    if output is not None and _names_a_file(output):
        plan = _plan_file(sources, output)
    else:
        plan = _plan_folder(sources, DEFAULT_FOLDER if output is None else output)
    _refuse_overwriting(sources, plan)
    return plan


def _names_a_file(output: Path) -> bool:
    # Also in a format that cannot be written: "result.avi" does not mean a folder.
    return output.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES and not output.is_dir()


def _plan_file(sources: Sequence[Source], output: Path) -> OutputPlan:
    if len(sources) != 1:
        raise UsageError(f"--output {output}: one file for {len(sources)} inputs; give a folder")
    kind = sources[0].kind
    if output.suffix.lower() not in _OVERLAY_SUFFIXES[kind]:
        raise UsageError(
            f"--output {output}: the input is {'an image' if kind == 'image' else 'a video'}; "
            f"expected {', '.join(_OVERLAY_SUFFIXES[kind])} or a folder"
        )
    mask = output.with_name(f"{output.stem}_mask{_MASK_SUFFIX[kind]}")
    item = Outputs(sources[0].path.stem, output, mask)
    return OutputPlan(output.parent, (item,), single_file=True)


def _plan_folder(sources: Sequence[Source], folder: Path) -> OutputPlan:
    blocker = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
    if blocker is not None:
        raise DataError(blocker, "is a file where a folder for the results is needed")
    items = tuple(
        Outputs(
            name,
            folder / f"{name}_overlay{_OVERLAY_SUFFIXES[source.kind][0]}",
            folder / f"{name}_mask{_MASK_SUFFIX[source.kind]}",
        )
        for name, source in zip(distinct_names(sources), sources, strict=True)
    )
    return OutputPlan(folder, items, single_file=False)


def distinct_names(sources: Sequence[Source]) -> list[str]:
    """Name each source by its stem, or by more where an earlier one has that name."""
    taken: set[str] = set()
    names = []
    for i, path in enumerate(source.path for source in sources):
        suffix, folder = path.suffix[1:], path.parent.name
        candidates = (
            path.stem,
            f"{path.stem}_{suffix}",
            f"{folder}_{path.stem}",
            f"{folder}_{path.stem}_{suffix}",
            *(f"{path.stem}_{number}" for number in range(i, len(sources) * 2 + 1)),
        )
        name = next(name for name in candidates if _folded(name) not in taken)
        taken.add(_folded(name))
        names.append(name)
    return names


def _folded(name: str) -> str:
    # Some filesystems take upper and lower case, or composed letters, for the same name.
    return unicodedata.normalize("NFC", name).casefold()


def _refuse_overwriting(sources: Sequence[Source], plan: OutputPlan) -> None:
    read = {source.path.resolve() for source in sources}
    for item in plan.items:
        for path in (item.overlay, item.mask):
            if path.resolve() in read:
                raise UsageError(f"--output: {path} is an input; choose another place")
    if not plan.single_file and len(sources) > 1:
        folders = {path.parent for path in read}
        if plan.folder.resolve() in folders:
            raise UsageError(
                f"--output {plan.folder}: is the folder of the inputs, where the next run would "
                "take the results for inputs; choose another folder"
            )
