"""Exported OpenVINO files: the pair ``<name>.xml`` and ``<name>.bin``, and whether it is whole.

``seal_ir`` appends the SHA-256 of both files to the XML as a comment behind its last element, which
OpenVINO skips; ``read_sealed_ir`` checks it and reads what ``ModelInfo`` says, which stands in the
``rt_info`` of the network. OpenVINO itself is not needed. Called by export and by prediction.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path

from wristseg.errors import CheckpointError
from wristseg.model_info import ModelInfo

__all__ = ["INFO_KEY", "read_sealed_ir", "seal_ir", "weights_path"]

#: Entry of the network's ``rt_info`` that holds ``ModelInfo.to_dict()`` as JSON.
INFO_KEY = "wristseg"

_HASH = re.compile(rb"\n<!-- wristseg\.sha256 ([0-9a-f]{64}) -->\n\Z")
_INFO = re.compile(rb"<" + INFO_KEY.encode() + rb' value="([^"]*)" ?/>')
_MAX_BYTES = 256 * 1024**2
_NOT_OURS = "is no file of wristseg export (it ends without the hash that one has)"


def seal_ir(xml: bytes, weights: bytes) -> bytes:
    """Return the XML with the hash of both files at its end."""
    digest = hashlib.sha256(xml + weights).hexdigest()
    return xml + f"\n<!-- wristseg.sha256 {digest} -->\n".encode()


def weights_path(path: Path) -> Path:
    """Return where the weights of ``<name>.xml`` lie."""
    return path.with_suffix(".bin")


def read_sealed_ir(path: Path) -> tuple[bytes, bytes, ModelInfo]:
    """Read a pair of files that export made.

    Args:
        path: The ``.xml``; the ``.bin`` lies beside it.

    Returns:
        Both files whole, and what the model says about itself.

    Raises:
        CheckpointError: A file is missing, damaged, of another program or too large.
    """
    xml, weights = _read(path), _read(weights_path(path))
    said = _HASH.search(xml[-200:])
    if said is None:
        raise CheckpointError(f"{path}: {_NOT_OURS}; export the checkpoint again")
    body = xml[: len(xml) - len(said[0])]
    if hashlib.sha256(body + weights).hexdigest() != said[1].decode():
        raise CheckpointError(
            f"{path}: damaged, or {weights_path(path).name} is of another export: their SHA-256 is "
            "not the one the file ends with"
        )
    entries = _INFO.findall(body)
    try:
        info = json.loads(html.unescape(entries[-1].decode()))
    except (IndexError, RecursionError, ValueError) as error:
        raise CheckpointError(f"{path}: {_NOT_OURS}: {error}") from error
    if not isinstance(info, dict):
        raise CheckpointError(f"{path}: {_NOT_OURS}")
    said_info = ModelInfo.from_dict(info, path=path)
    if said_info.export is None:
        raise CheckpointError(f"{path}: {_NOT_OURS}: it does not say what frames it takes")
    return xml, weights, said_info


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CheckpointError(f"{path}: larger than {_MAX_BYTES // 1024**2} MB")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such file; an OpenVINO export is the pair .xml and .bin"
        ) from error
