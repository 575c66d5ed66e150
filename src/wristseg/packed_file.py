"""Packed models: a record ``<name>.json`` and the tensors beside it, and whether both are whole.

The weights that ship in the package have this form, and go by the names of ``SHIPPED_MODELS``
wherever a model file is asked for. Several records may name one file of tensors: the network is
fully convolutional, so one set may serve several sizes. ``modeling.packed`` writes them and makes
networks of them; nothing here needs PyTorch. Called by prediction, export, info and training.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from wristseg.errors import CheckpointError
from wristseg.model_info import ModelInfo

__all__ = [
    "PACKED_SUFFIX",
    "SHIPPED_MODELS",
    "PackedModel",
    "is_shipped",
    "model_path",
    "read_packed",
    "shipped_for",
    "shipped_weights",
]

#: Name to the height and width of the network's input.
SHIPPED_MODELS: dict[str, tuple[int, int]] = {
    "sim-640": (480, 640),
    "sim-320": (240, 320),
    "sim-84": (84, 84),
}

PACKED_SUFFIX = ".json"
#: Of all sizes this one knows frames of new looks best (docs/weights.md).
_SHORT_NAME, _SHORT_FOR = "sim", "sim-320"
_FOLDER = Path(__file__).resolve().parent / "weights"
_FORMAT, _VERSION = "wristseg-packed", 1
_MAX_RECORD_BYTES, _MAX_TENSOR_BYTES = 1024**2, 256 * 1024**2
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")
_AGAIN = "copy or install it again"


@dataclass(frozen=True)
class PackedModel:
    """A packed model, read and found whole.

    Attributes:
        tensors: Content of the safetensors file.
        tensors_sha256: Its SHA-256, 64 hexadecimal digits.
        info: What the record says about the model; its path is the record's.
        made: How it was made: commands, seeds, commit, figures.
    """

    tensors: bytes
    tensors_sha256: str
    info: ModelInfo
    made: Mapping[str, Any]

    @classmethod
    def of(cls, tensors: bytes, info: ModelInfo, made: Mapping[str, Any]) -> Self:
        """Build one from its parts."""
        return cls(tensors, hashlib.sha256(tensors).hexdigest(), info, made)

    def record(self, tensors_name: str) -> str:
        """Return the text of the record.

        Args:
            tensors_name: Name of the tensors' file, which lies in the same folder.
        """
        assert _FILE_NAME.fullmatch(tensors_name)
        said: dict[str, Any] = {
            "format": _FORMAT,
            "format_version": _VERSION,
            "tensors": {
                "file": tensors_name,
                "bytes": len(self.tensors),
                "sha256": self.tensors_sha256,
            },
            "model": self.info.to_dict(),
            "made": dict(self.made),
        }
        said["sha256"] = _digest(said)
        return json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def model_path(name: Path | str) -> Path:
    """Return the file of a model: of a shipped one by its name, else the path as it is.

    >>> model_path("outputs/best.ckpt").as_posix()
    'outputs/best.ckpt'

    Raises:
        CheckpointError: The name is of a shipped model, and this build ships none.
    """
    full = _full_name(name)
    if full is None:
        return Path(name)
    path = shipped_weights(full)
    if path is None:
        raise CheckpointError(
            f"{name}: this build ships no simulation weights "
            f"({_FOLDER / full}{PACKED_SUFFIX} is not there); install a release of wristseg, or "
            "give the path of a checkpoint"
        )
    return path


def is_shipped(path: Path) -> bool:
    """Tell whether a path lies among the models that ship in the package."""
    return path.resolve().parent == _FOLDER


def shipped_for(size_hw: tuple[int, int]) -> str:
    """Return the name of the shipped model that suits an input size best.

    >>> shipped_for((84, 84)), shipped_for((240, 320))
    ('sim-84', 'sim-320')
    """
    # Sizes are compared as factors: 168x168 is as far from 84x84 as 42x42.
    height, width = size_hw

    def apart(name: str) -> float:
        own_height, own_width = SHIPPED_MODELS[name]
        factor = height * width / (own_height * own_width)
        return max(factor, 1 / factor)

    return min(SHIPPED_MODELS, key=apart)


def shipped_weights(name: str) -> Path | None:
    """Return the record of a shipped model, or None where this build has none."""
    full = _full_name(name)
    path = None if full is None else _FOLDER / f"{full}{PACKED_SUFFIX}"
    return path if path is not None and path.is_file() else None


def _full_name(name: Path | str) -> str | None:
    said = str(name)
    if said == _SHORT_NAME:
        return _SHORT_FOR
    return said if said in SHIPPED_MODELS else None


def read_packed(path: Path) -> PackedModel:
    """Read a packed model and check that it is whole.

    Args:
        path: The record; the tensors' file lies beside it.

    Raises:
        CheckpointError: A file is missing, damaged, of another program or too large.
    """
    said = _record(path)
    try:
        name, sha256 = said["tensors"]["file"], said["tensors"]["sha256"]
        model, made = said["model"], said["made"]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: record without {error}; {_AGAIN}") from error
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise CheckpointError(f"{path}: names the tensors {name!r}, expected a file beside it")
    if not isinstance(model, dict) or not isinstance(made, dict):
        raise CheckpointError(f"{path}: model and made are no tables; {_AGAIN}")
    tensors = _read(path.with_name(name), _MAX_TENSOR_BYTES)
    if hashlib.sha256(tensors).hexdigest() != sha256:
        raise CheckpointError(
            f"{path.with_name(name)}: damaged, or of another model: its SHA-256 is not the one in "
            f"{path.name}; {_AGAIN}"
        )
    return PackedModel(tensors, sha256, ModelInfo.from_dict(model, path=path), made)


def _record(path: Path) -> dict[str, Any]:
    content = _read(path, _MAX_RECORD_BYTES)
    try:
        said = json.loads(content)
    except (RecursionError, ValueError) as error:
        raise CheckpointError(f"{path}: is no record of a packed model: {error}") from error
    if not isinstance(said, dict) or said.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path}: is no record of a packed model; expected one of scripts/pack_weights.py"
        )
    if said.get("format_version") != _VERSION:
        raise CheckpointError(
            f"{path}: format version {said.get('format_version')!r}, this version of wristseg "
            f"reads {_VERSION}"
        )
    if said.pop("sha256", None) != _digest(said):
        raise CheckpointError(f"{path}: damaged: its SHA-256 is not the one it says; {_AGAIN}")
    return said


def _digest(said: Mapping[str, Any]) -> str:
    """SHA-256 of a record's values, however they are indented."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        if path.stat().st_size > most_bytes:
            raise CheckpointError(f"{path}: larger than {most_bytes // 1024**2} MB, none of ours")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such file; a packed model is a .json and the .safetensors it names"
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
