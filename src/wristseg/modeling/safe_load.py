"""Reads a checkpoint file without running anything that it asks for.

``torch.load`` reads with ``weights_only=True`` and never without. Lightning files that people have
keep paths, NumPy numbers and an ``AttributeDict`` among their hyper-parameters, which that mode
refuses; here each of these names stands for a harmless type of our own choice, so that the class
named in the file is never imported. A file's archive checksums are compared first, since
``torch.load`` does not notice a flipped bit (measured: 40 of 40 damaged files loaded).
"""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch

from wristseg.errors import CheckpointError
from wristseg.modeling.archive_seal import check_seal

__all__ = ["load_untrusted"]

#: What a damaged or hostile pickle makes the restricted reader raise.
_READ_ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)

#: What a damaged directory of a ZIP archive makes its reader raise.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)


def load_untrusted(path: Path) -> dict[str, Any]:
    """Return the dict that ``torch.save`` wrote to ``path``, its tensors on the CPU.

    Raises:
        CheckpointError: The path is no intact file of ``torch.save``, or the file holds Python
            objects, which could run code; nothing of it is run.
    """
    _check_is_local_file(path)
    _check_archive(path)
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _READ_ERRORS as error:
        raise CheckpointError(f"{path}: {_reason(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: holds a {type(content).__name__}, expected the dict of a checkpoint"
        )
    return content


def _check_is_local_file(path: Path) -> None:
    # Path folds "//": s3://bucket/x has become s3:/bucket/x. One letter would be a Windows drive.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", path.as_posix()):
        raise CheckpointError(f"{path}: is an address; download the checkpoint and give its path")
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder, expected a checkpoint file like best.ckpt")
    if not path.exists():
        raise CheckpointError(f"{path}: no such file")
    if not path.is_file():
        raise CheckpointError(f"{path}: is not a regular file")


def _check_archive(path: Path) -> None:
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: is empty (0 bytes); copy or train it again")
    whole = check_seal(path)
    try:
        with zipfile.ZipFile(path) as archive:
            # torch.save compresses nothing; a compressed member could unfold to any size.
            packed = any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist())
            damaged = None if packed or whole else archive.testzip()
            torn = bool(archive.comment) and not whole  # torch.save writes none: a damaged hash
    except _ARCHIVE_ERRORS as error:
        raise CheckpointError(
            f"{path}: is not a whole file of torch.save (zip archive): {error}; "
            "if it was copied, copy it again"
        ) from error
    if packed:
        raise CheckpointError(f"{path}: has compressed members, which torch.save never writes")
    if damaged is not None or torn:
        raise CheckpointError(
            f"{path}: {damaged or 'its end'} is damaged (checksum); copy the file again"
        )


def _reason(error: Exception) -> str:
    text = str(error)
    named = re.search(r"GLOBAL ([\w.]+)", text)
    if named is not None:
        return (
            f"holds the Python object {named[1]}, which could run code; nothing of it was run. "
            "Expected tensors, numbers and text: save the state_dict, not the whole object"
        )
    # torch's own text around this advises to load the file unsafely; that advice is not passed on.
    inner = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    return f"is not readable as a checkpoint ({inner[1] if inner else type(error).__name__})"


class _Dtype:
    """Stands for ``numpy.dtype``: keeps the code and byte order of a number, and nothing else."""

    def __init__(self, code: str, *_flags: Any) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1]).replace("|", "=")


def _numpy_scalar(dtype: _Dtype, data: bytes) -> bool | int | float | str:
    """Stand for NumPy's ``scalar``: numbers and text become Python's own, the rest is refused."""
    if not isinstance(dtype, _Dtype) or re.fullmatch(r"[biufU]\d{1,5}", dtype.code) is None:
        raise pickle.UnpicklingError("a NumPy object that is neither a number nor text")
    value: bool | int | float | str = np.frombuffer(data, dtype.order + dtype.code)[0].item()
    return value


_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *(
        (dict, f"{module}.AttributeDict")
        for module in (
            "lightning.fabric.utilities.data",
            "lightning.pytorch.utilities.parsing",
            "lightning_fabric.utilities.data",
            "pytorch_lightning.utilities.parsing",
        )
    ),
    *(
        (pure, f"{module}.{name}")
        for module in ("pathlib", "pathlib._local")  # Python 3.13 names the latter
        for pure, name in (
            (PurePosixPath, "PosixPath"),
            (PurePosixPath, "PurePosixPath"),
            (PureWindowsPath, "WindowsPath"),
            (PureWindowsPath, "PureWindowsPath"),
        )
    ),
    (_Dtype, "numpy.dtype"),
    (_numpy_scalar, "numpy.core.multiarray.scalar"),
    (_numpy_scalar, "numpy._core.multiarray.scalar"),
]
