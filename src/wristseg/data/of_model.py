"""Find the data set that a model was trained on, by what the model's file says.

In: what a checkpoint or an export says about itself. Out: where the parts of its data set lie.
Called by ``wristseg export``, ``val`` and ``compare`` where no data set is named.
"""

from __future__ import annotations

from pathlib import Path

from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import UsageError
from wristseg.model_info import ModelInfo

__all__ = ["dataset_of_model"]

_PATHS = ("annotations", "images", "selections", "excluded", "masks_dir")


def dataset_of_model(
    info: ModelInfo, *, unknown: str, moved: str
) -> tuple[DatasetPaths, Path | None]:
    """Return where the data set of the training lies, and its ready-made masks if it had some.

    Args:
        info: Of the model.
        unknown: What to do if the file does not say it, for the message.
        moved: What to do if the data set is no longer there.

    Raises:
        UsageError: The file does not say it, or there is no such folder.
    """
    said = info.config.get("dataset_path")
    if not isinstance(said, str):
        raise UsageError(f"{info.path}: does not say what it was trained on{unknown}")
    if not Path(said).is_dir():
        raise UsageError(f"{info.path}: was trained on {said}, which is not here; {moved}")
    given = {name: info.config.get(name) for name in _PATHS}
    paths = {name: Path(at) if isinstance(at, str) else None for name, at in given.items()}
    masks_dir = paths.pop("masks_dir")
    return DatasetPaths(
        Path(said),
        annotations=paths["annotations"],
        images=paths["images"],
        selections=paths["selections"],
        excluded=paths["excluded"],
    ), masks_dir
