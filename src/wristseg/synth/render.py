"""Stage ``wristseg render``: refuse what cannot work, have the frames made, put them in place.

Importing this module loads nothing of MuJoCo, so that a missing ``sim`` extra can be told in one
line. The result lands in a temporary folder beside the target and is renamed when it is complete: a
killed run leaves nothing that looks like a data set. Called by ``cli.render``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from wristseg.artifacts import replacing_folder
from wristseg.errors import UsageError
from wristseg.synth.config import ClipName, RenderConfig
from wristseg.synth.extra import require_sim

__all__ = ["RenderSummary", "render"]

_CLIP_NAMES = frozenset(f"{name}.mp4" for name in get_args(ClipName))
_DATASET_NAMES = frozenset(
    (
        "README.md",
        "annotations",
        "exact_masks",
        "excluded.json",
        "images",
        "origin.json",
        "selections.json",
    )
)


@dataclass(frozen=True)
class RenderSummary:
    """What was written.

    Attributes:
        output: The folder.
        frames: Frames drawn, over all clips.
        grasp_marks: Frames marked as grasp.
        excluded: Frames whose annotations are bad on purpose.
        size_bytes: Bytes of all files together.
    """

    output: Path
    frames: int
    grasp_marks: int
    excluded: int
    size_bytes: int


def render(config: RenderConfig) -> RenderSummary:
    """Render a data set, or clips where ``config.clips`` names some.

    Raises:
        MissingExtraError: The ``sim`` extra is not installed.
        UsageError: The output folder has something in it, or no off-screen OpenGL can be had.
        WristsegError: A worker process died.
    """
    _refuse_full_folder(config)
    require_sim()
    from wristseg.synth.production import produce_clips, produce_dataset

    with replacing_folder(config.output) as folder:
        plans = produce_clips(config, folder) if config.clips else produce_dataset(config, folder)
        _refuse_full_folder(config)  # another run may have ended there meanwhile
    files = [path for path in config.output.rglob("*") if path.is_file()]
    return RenderSummary(
        output=config.output,
        frames=len(plans),
        grasp_marks=sum(plan.tag == "grasp" for plan in plans),
        excluded=sum(plan.flaw is not None for plan in plans),
        size_bytes=sum(path.stat().st_size for path in files),
    )


def _refuse_full_folder(config: RenderConfig) -> None:
    output = config.output
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: a file of that name is there; choose a folder")
    if output.is_dir() and any(output.iterdir()) and not config.overwrite:
        raise UsageError(
            f"--output {output}: the folder is not empty; choose another or add --overwrite"
        )
    foreign = _foreign_files(config) if output.is_dir() else []
    if foreign:
        raise UsageError(
            f"--output {output}: --overwrite replaces only what this command made, and "
            f"{', '.join(foreign)} is something else; choose another folder or move it away"
        )


def _foreign_files(config: RenderConfig) -> list[str]:
    """Return what lies in the output folder and was not made by rendering."""
    names = {path.name for path in config.output.iterdir()}
    if config.clips or not names:
        return sorted(names - _CLIP_NAMES)
    rendered = "origin.json" in names  # without it, it may be a data set labelled by hand
    return sorted(names - _DATASET_NAMES) if rendered else sorted(names)
