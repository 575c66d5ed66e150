"""What a model file says about itself: classes, preprocessing, observation, origin.

Read from a checkpoint by ``modeling.checkpoint`` and from an exported file by ``onnx_file``; no
library that runs models is needed to hold or show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from wristseg.classes import ClassTable
from wristseg.errors import CheckpointError, DataError
from wristseg.observation import ObservationContract
from wristseg.preprocess import PreprocessContract

__all__ = ["ExportInfo", "ModelInfo", "json_values"]

#: Fields that stand in a file as they are.
_PLAIN = (
    "legacy", "num_parameters", "weights_source", "dataset_sha256", "split", "git_commit",
    "versions", "metrics", "config", "observation", "epoch", "loss", "seed",
)  # fmt: skip


def json_values(value: Any) -> Any:
    """Return what JSON can hold: NaN as null, and whatever it does not know as text."""
    if isinstance(value, Mapping):
        return {str(key): json_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)


@dataclass(frozen=True)
class ExportInfo:
    """What an exported graph takes, and what it was made from.

    Attributes:
        frame_hw: Height and width of the frames it takes.
        color_order: Order of their channels, ``rgb`` or ``bgr``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        checkpoint_sha256: SHA-256 of the checkpoint's file.
    """

    frame_hw: tuple[int, int]
    color_order: str
    precision: str
    checkpoint_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as they stand in an exported file."""
        return {
            "frame_hw": list(self.frame_hw),
            "color_order": self.color_order,
            "precision": self.precision,
            "checkpoint_sha256": self.checkpoint_sha256,
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Raises:
            ValueError, KeyError, TypeError: An entry is missing or makes no sense.
        """
        height, width = said["frame_hw"]
        if said["color_order"] not in {"rgb", "bgr"}:
            raise ValueError(f"color order {said['color_order']!r}, expected rgb or bgr")
        return cls(
            frame_hw=(int(height), int(width)),
            color_order=said["color_order"],
            precision=str(said["precision"]),
            checkpoint_sha256=str(said["checkpoint_sha256"]),
        )


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself; None or empty where it does not say.

    Attributes:
        path: The file.
        legacy: True for a checkpoint of the plain script, which says less.
        classes: Class table of the masks.
        preprocess: What happens to a frame before the network.
        num_parameters: Learned numbers in the network.
        weights_source: Where the start weights came from.
        dataset_sha256: Hash of the data it was trained on.
        split: ``train`` and ``val`` to the frames of each side.
        git_commit: Commit of the code that trained it.
        versions: Libraries by name.
        metrics: Validation metrics of this epoch.
        config: Options of the training run.
        observation: What a policy sees of the masks, as the file says it; None in older files.
            ``observation_contract`` is what holds.
        epoch: Epoch of these weights, counted from 0.
        loss: Name of the loss.
        seed: Seed of the training run.
        export: What an exported graph takes; None for a checkpoint.
    """

    path: Path
    legacy: bool
    classes: ClassTable
    preprocess: PreprocessContract
    num_parameters: int
    weights_source: str | None = None
    dataset_sha256: str | None = None
    split: Mapping[str, Sequence[str]] = field(default_factory=dict)
    git_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    observation: Mapping[str, Any] | None = None
    epoch: int | None = None
    loss: str | None = None
    seed: int | None = None
    export: ExportInfo | None = None

    def __post_init__(self) -> None:
        self.check_observation(self.observation_contract)

    @property
    def observation_contract(self) -> ObservationContract:
        """What a policy sees of the masks; the default, with this model's crop, if none is said.

        Raises:
            CheckpointError: What the file says is malformed.
        """
        default = ObservationContract(crop=self.preprocess.crop)
        if self.observation is None:
            return default
        try:
            return ObservationContract.from_dict(self.observation, default=default)
        except DataError as error:
            raise CheckpointError(f"{self.path}: {error}") from error

    @property
    def observation_origin(self) -> str:
        """Where ``observation_contract`` comes from, for people."""
        if self.observation is None:
            return "default: the file is older than the contract and has none"
        missing = self.observation_contract.left_to_default(self.observation)
        return f"the file; by default: {', '.join(missing)}" if missing else "the file"

    def observation_of(self, file: Path) -> ObservationContract:
        """Return the contract of a YAML file; what it does not name is this model's own.

        Raises:
            DataError: The file is none, or does not fit this model.
        """
        return ObservationContract.from_file(
            file,
            classes=self.classes,
            model_crop=self.preprocess.crop,
            default=self.observation_contract,
        )

    def check_observation(self, contract: ObservationContract) -> None:
        """Refuse a contract that this model cannot fulfil.

        Raises:
            CheckpointError: Its class map or crop does not fit the model.
        """
        problems = contract.problems_with(self.classes, model_crop=self.preprocess.crop)
        if problems:
            raise CheckpointError(str(DataError(f"{self.path}: observation contract", problems)))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the path as plain values, as it stands in an exported file."""
        return {
            **{name: json_values(getattr(self, name)) for name in _PLAIN},
            "classes": self.classes.to_dict(),
            "preprocess": self.preprocess.to_dict(),
            "export": None if self.export is None else self.export.to_dict(),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any], *, path: Path) -> Self:
        """Read what ``to_dict`` wrote.

        Raises:
            CheckpointError: An entry is missing or malformed.
        """
        known = {entry.name for entry in fields(cls)} - {"path"}
        if set(said) != known:
            differing = ", ".join(sorted(set(said) ^ known))
            raise CheckpointError(f"{path}: entries missing or unknown: {differing}")
        try:
            exported = said["export"]
            return cls(
                path=path,
                classes=ClassTable.from_dict(said["classes"], where=path),
                preprocess=PreprocessContract.from_dict(said["preprocess"]),
                export=None if exported is None else ExportInfo.from_dict(exported),
                **{name: said[name] for name in _PLAIN},
            )
        except (DataError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path}: {error}") from error
