"""Exported ONNX files: what stands in them beside the graph, and whether they are whole.

``seal`` writes what is known about a model and a SHA-256 of everything before it as the last two
metadata entries of the file; ``read_sealed`` checks both. No ONNX library is needed: appending
fields to a protobuf message is appending bytes to its file
(https://protobuf.dev/programming-guides/encoding/), and reading skips over the graph. Called by
export and by prediction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Set
from pathlib import Path

from wristseg.errors import CheckpointError
from wristseg.model_info import ModelInfo

__all__ = ["parse_sealed", "read_sealed", "seal"]

# Field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_MODEL_TRAINING, _MODEL_FUNCTIONS = 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSOR = 5
_ATTRIBUTE_OTHERS = frozenset({6, 10, 11, 22, 23})  # graphs, lists of tensors, sparse tensors
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14

_INFO_KEY, _HASH_KEY = "wristseg", "wristseg.sha256"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_MAX_BYTES = 256 * 1024**2
_NOT_OURS = "is no file of wristseg export (it ends without the hash that one has)"


def seal(model: bytes, info: ModelInfo) -> bytes:
    """Append what is known about a model, and the hash of it all, to a serialised ONNX model.

    Args:
        model: The model without an entry of wristseg.
        info: What to write; its path is not written.

    Returns:
        The whole file.
    """
    said = json.dumps(info.to_dict(), ensure_ascii=False, allow_nan=False)
    content = model + _metadata(_INFO_KEY, said)
    return content + _metadata(_HASH_KEY, hashlib.sha256(content).hexdigest())


def read_sealed(path: Path) -> tuple[bytes, ModelInfo]:
    """Read a file that ``seal`` made.

    Returns:
        The whole file, which is a serialised ONNX model, and what it says about itself.

    Raises:
        CheckpointError: The file is missing, damaged, of another program, too large, or refers to
            others.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if path.stat().st_size > _MAX_BYTES:
        raise CheckpointError(f"{path}: larger than {_MAX_BYTES // 1024**2} MB, no model of ours")
    content = path.read_bytes()
    return content, parse_sealed(content, path)


def parse_sealed(content: bytes, path: Path) -> ModelInfo:
    """Check a file that ``seal`` made and return what it says about itself.

    Args:
        content: The whole file.
        path: Its name, for messages and for the result.

    Raises:
        CheckpointError: As for :func:`read_sealed`, but for its size.
    """
    tail = len(_metadata(_HASH_KEY, "0" * 64))
    body, sealed = content[:-tail], content[-tail:]
    if not sealed.startswith(_metadata(_HASH_KEY, "0" * 64)[:-64]):
        raise CheckpointError(f"{path}: {_NOT_OURS}; export the checkpoint again")
    if sealed[-64:].decode("ascii", "replace") != hashlib.sha256(body).hexdigest():
        raise CheckpointError(f"{path}: damaged, its SHA-256 is not the one it ends with")
    try:
        _refuse_outside_data(body)
        said = json.loads(_entries(body)[_INFO_KEY])
    except (IndexError, KeyError, RecursionError, ValueError) as error:
        raise CheckpointError(f"{path}: {_NOT_OURS}: {error}") from error
    if not isinstance(said, dict):
        raise CheckpointError(f"{path}: {_NOT_OURS}")
    info = ModelInfo.from_dict(said, path=path)
    if info.export is None:
        raise CheckpointError(f"{path}: {_NOT_OURS}: it does not say what frames it takes")
    return info


def _refuse_outside_data(model: bytes) -> None:
    """Refuse tensors whose numbers lie in other files; a path there could name any file."""
    _refuse_fields(model, {_MODEL_TRAINING, _MODEL_FUNCTIONS})
    for graph in _children(model, _MODEL_GRAPH):
        _refuse_fields(graph, {_GRAPH_SPARSE})
        tensors = list(_children(graph, _GRAPH_INITIALIZER))
        for node in _children(graph, _GRAPH_NODE):
            for attribute in _children(node, _NODE_ATTRIBUTE):
                _refuse_fields(attribute, _ATTRIBUTE_OTHERS)
                tensors += _children(attribute, _ATTRIBUTE_TENSOR)
        for tensor in tensors:
            numbers = {number for number, _ in _fields(tensor)}
            if numbers & {_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION}:
                raise ValueError("a tensor's numbers lie in another file")


def _refuse_fields(message: bytes | memoryview, numbers: Set[int]) -> None:
    """Refuse parts that our graphs do not have and whose tensors nobody looks at."""
    found = {number for number, _ in _fields(message)} & numbers
    if found:
        raise ValueError(f"it holds parts that an export does not have (fields {sorted(found)})")


def _entries(model: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in _children(model, _MODEL_METADATA):
        parts = dict(_fields(entry))
        found[bytes(parts.get(1, b"")).decode()] = bytes(parts.get(2, b"")).decode()
    return found


def _children(message: bytes | memoryview, number: int) -> Iterator[memoryview]:
    return (value for found, value in _fields(message) if found == number)


def _fields(message: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each field; for numbers the content is left empty.

    Raises:
        ValueError: The bytes are no protobuf message.
        IndexError: They end in the middle of a field.
    """
    view = memoryview(message)
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, at = _varint(view, at)
            yield number, view[:0]
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
            yield number, view[:0]
        elif kind == _BYTES:
            length, at = _varint(view, at)
            if length > len(view) - at:
                raise ValueError("a field runs over the end")
            yield number, view[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {kind} at byte {at}")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _metadata(key: str, value: str) -> bytes:
    entry = _bytes_field(1, key.encode()) + _bytes_field(2, value.encode())
    return _bytes_field(_MODEL_METADATA, entry)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _encode(number << 3 | _BYTES) + _encode(len(content)) + content


def _encode(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])
