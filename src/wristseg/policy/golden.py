"""Golden files: the arrays of every stage, so that two repositories compare the same bytes.

A golden file is a NumPy ``.npz`` without pickles: one array per stage of ``policy.stages`` and
``about``, JSON as uint8, with the contract, the class names and the model's SHA-256. Anything that
reads ``.npz`` can compare with it; wristseg is not needed for that. Written and compared by
``wristseg obs-check``.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import atomic_path
from wristseg.errors import DataError
from wristseg.observation import ObservationContract
from wristseg.policy.encoder import MaskEncoder
from wristseg.policy.stages import AFTER_MASK, STAGES, stages_of_masks

__all__ = ["Golden", "read_golden", "write_golden"]

_FORMAT = "wristseg-golden-1"
_MAX_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Golden:
    """What a golden file holds.

    Attributes:
        contract: What the policy sees.
        class_names: The model's classes by id.
        model_sha256: SHA-256 of the model file that predicted the masks.
        stages: Array by stage, uint8; see ``policy.stages.STAGES``.
    """

    contract: ObservationContract
    class_names: tuple[str, ...]
    model_sha256: str
    stages: Mapping[str, NDArray[np.uint8]]

    def drift_from(self, encoder: MaskEncoder) -> list[str]:
        """Say how another contract or another way of encoding differs from this file.

        The masks of the file are encoded anew, and every byte behind them has to be the same. No
        model is asked.
        """
        problems = self._contract_drift(encoder)
        if problems:  # every byte would differ for the same reason
            return problems
        again = stages_of_masks(list(self.stages["mask"]), encoder)
        return [
            f"{name}: {difference}"
            for name in AFTER_MASK
            if (difference := _difference(self.stages[name], again[name])) is not None
        ]

    def _contract_drift(self, encoder: MaskEncoder) -> list[str]:
        ours, theirs = encoder.contract.to_dict(), self.contract.to_dict()
        # The order of a camera's channels is its owner's; frames are kept in RGB.
        differing = [name for name in ours if ours[name] != theirs[name] and name != "color_order"]
        problems = [
            f"contract: {name} is {ours[name]!r}, the golden file's is {theirs[name]!r}"
            for name in differing
        ]
        if encoder.classes.names != self.class_names:
            names = " and ".join(", ".join(n) for n in (encoder.classes.names, self.class_names))
            problems.append(f"classes: the model's and the golden file's differ: {names}")
        return problems


def _difference(golden: NDArray[np.uint8], now: NDArray[np.uint8]) -> str | None:
    if golden.shape != now.shape:
        return f"shape is {now.shape}, the golden file's is {golden.shape}"
    wrong = golden != now
    if not wrong.any():
        return None
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{np.count_nonzero(wrong)} of {wrong.size} bytes differ, the first at {first}: "
        f"{now[first]}, in the golden file {golden[first]}"
    )


def write_golden(path: Path, golden: Golden) -> None:
    """Write a golden file atomically.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
    """
    about = {
        "format": _FORMAT,
        "contract": golden.contract.to_dict(),
        "classes": list(golden.class_names),
        "model_sha256": golden.model_sha256,
        "stages": STAGES,
    }
    text = np.frombuffer(json.dumps(about, indent=1, ensure_ascii=False).encode(), np.uint8)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        arrays: dict[str, Any] = {"about": text, **golden.stages}
        np.savez_compressed(file, **arrays)


def read_golden(path: Path) -> Golden:
    """Read a golden file.

    Raises:
        DataError: It is missing, damaged, too large or none of ours.
    """
    arrays = _arrays(path)
    try:
        about: dict[str, Any] = json.loads(bytes(arrays.pop("about")))
        if about["format"] != _FORMAT:
            raise DataError(path, f"format is {about['format']!r}, this version reads {_FORMAT}")
        contract = ObservationContract.from_dict(about["contract"])
        names, sha256 = tuple(map(str, about["classes"])), str(about["model_sha256"])
    except DataError as error:
        raise DataError(path, error.problems) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(path, f"is no golden file of wristseg obs-check: {error}") from error
    problems = _array_problems(arrays, len(names))
    if problems:
        raise DataError(path, problems)
    return Golden(contract, names, sha256, arrays)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(path, f"larger than {_MAX_BYTES // 1024**2} MB, no golden file")
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > 4 * _MAX_BYTES:
            raise DataError(path, f"unpacks to {unpacked:,} bytes, no golden file")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise DataError(path, "no such file; write one with --write-golden") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(path, f"is no whole .npz file: {error}") from error


def _array_problems(arrays: Mapping[str, NDArray[Any]], num_classes: int) -> list[str]:
    if set(arrays) != set(STAGES):
        return [f"holds {', '.join(sorted(arrays)) or 'nothing'}, expected {', '.join(STAGES)}"]
    dimensions = {"frame": 4, "mask": 3, "resized": 3, "mapped": 3, "channels": 4, "observation": 5}
    mask = arrays["mask"]
    count = len(mask) if mask.ndim else 0
    problems = [
        f"{name} is {array.shape} {array.dtype}, expected {STAGES[name]} uint8"
        for name, array in arrays.items()
        if array.dtype != np.uint8 or array.ndim != dimensions[name] or len(array) != count
    ]
    if problems:
        return problems
    if mask.size == 0:
        return ["holds no frame"]
    if arrays["frame"].shape != (*mask.shape, 3):
        return [f"frame is {arrays['frame'].shape}, expected {(*mask.shape, 3)} as mask says"]
    if int(mask.max()) >= num_classes:
        return [f"mask has class {mask.max()}, and there are {num_classes} classes"]
    return []
