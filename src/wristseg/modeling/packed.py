"""Packed models: from a checkpoint to a small record and its tensors, and back to tensors.

Kernels are kept in half precision; biases and the statistics of normalisation stay in single
precision, since they are few. Models of several sizes share one file: tensors that are the same in
all of them are stored once, others (the statistics, which a size needs of its own) once for each,
under ``<model>/<tensor>``. Called by ``scripts/pack_weights.py`` and by
``checkpoint.load_network``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor

from wristseg.artifacts import FileBatch, git_commit, sha256_of, versions
from wristseg.errors import CheckpointError, MissingExtraError, UsageError
from wristseg.model_info import ModelInfo
from wristseg.packed_file import PACKED_SUFFIX, SHIPPED_MODELS, PackedModel, read_packed
from wristseg.preprocess import PreprocessContract

__all__ = ["MAX_BYTES", "pack", "read_packed_state"]

#: Tensors and records of one packing together: what a wheel may grow by.
MAX_BYTES = 2_000_000

#: What the person who trained the weights has to say for them to be made again.
_REQUIRED = ("commands", "seeds", "figures")


def pack(
    checkpoints: Mapping[str, Path], folder: Path, *, made: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write checkpoints as packed models, one record each and one file of tensors.

    Args:
        checkpoints: Names of ``SHIPPED_MODELS`` to the ``.ckpt`` of ``wristseg train`` or of
            ``scripts/pretrain.py`` that serves that size; the same file for several, or files that
            differ in few tensors.
        folder: Where the files go; files of the same names are replaced.
        made: ``commands``, ``seeds`` and ``figures`` at least; what else is known may follow.

    Returns:
        The records, then the tensors.

    Raises:
        UsageError: A name is unknown, or ``made`` lacks an entry.
        CheckpointError: A checkpoint cannot be used, a number does not fit into half precision, or
            the files would be too large.
        OSError: The folder cannot be written to.
    """
    from wristseg.modeling.checkpoint import load_network

    _check_asked(tuple(checkpoints), made)
    models = {name: load_network(path) for name, path in checkpoints.items()}
    states = {
        name: _halved(network.state_dict(), checkpoints[name])
        for name, (network, _) in models.items()
    }
    tensors = _to_bytes(_shared(states))
    tensors_name = f"{'sim' if len(models) > 1 else next(iter(models))}.safetensors"
    files = {tensors_name: tensors}
    for name, (_, info) in models.items():
        said = {
            **made,
            "checkpoint_sha256": sha256_of(checkpoints[name]),
            "packed_by_commit": git_commit(),
            "versions": versions(),
        }
        packed = PackedModel.of(tensors, _info_at(info, SHIPPED_MODELS[name]), said)
        files[name + PACKED_SUFFIX] = packed.record(tensors_name).encode()
    total = sum(len(content) for content in files.values())
    if total > MAX_BYTES:
        raise CheckpointError(
            f"{', '.join(map(str, checkpoints.values()))}: packed they take {total:,} bytes, at "
            f"most {MAX_BYTES:,} may ship; shorten what --made says, or let them share kernels"
        )
    with FileBatch(folder, files) as batch:
        for name, content in files.items():
            batch.write(name, content)
    return (*(folder / f"{name}{PACKED_SUFFIX}" for name in models), folder / tensors_name)


def read_packed_state(path: Path) -> tuple[dict[str, Tensor], ModelInfo]:
    """Read a packed model's tensors, in single precision, and what it says about itself.

    Raises:
        CheckpointError: As for ``packed_file.read_packed``, or the tensors cannot be read.
        MissingExtraError: safetensors is not installed.
    """
    packed = read_packed(path)
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "safetensors", "export") from error
    try:
        state = load(packed.tensors)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: its tensors cannot be read: {error}") from error
    own = f"{path.stem}/"
    state |= {name.removeprefix(own): state[name] for name in state if name.startswith(own)}
    single = {
        name: value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if "/" not in name
    }
    return single, packed.info


def _check_asked(names: tuple[str, ...], made: Mapping[str, Any]) -> None:
    unknown = [name for name in names if name not in SHIPPED_MODELS]
    if unknown or not names:
        raise UsageError(
            f"names {', '.join(names) or 'none'}: expected some of {', '.join(SHIPPED_MODELS)}"
        )
    missing = [name for name in _REQUIRED if not made.get(name)]
    if missing:
        raise UsageError(
            f"what is said about how the weights were made lacks {', '.join(missing)}; "
            "they have to be made again by others"
        )


def _halved(state: Mapping[str, Tensor], checkpoint: Path) -> dict[str, Tensor]:
    halved = {}
    for name, value in state.items():
        kernel = value.is_floating_point() and value.ndim > 1
        halved[name] = (value.half() if kernel else value).contiguous()
        if kernel and not bool(torch.isfinite(halved[name]).all()):
            raise CheckpointError(f"{checkpoint}: {name} does not fit into half precision")
    return halved


def _shared(states: Mapping[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return what is the same in all models under its name, the rest under ``<model>/<name>``."""
    first, *others = states.values()
    stored = {}
    for name, value in first.items():
        if all(torch.equal(value, other[name]) for other in others):
            stored[name] = value
        else:
            stored |= {f"{model}/{name}": state[name] for model, state in states.items()}
    return stored


def _to_bytes(state: dict[str, Tensor]) -> bytes:
    try:
        from safetensors.torch import save
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "safetensors", "export") from error
    return bytes(save(state))


def _info_at(info: ModelInfo, size_hw: tuple[int, int]) -> ModelInfo:
    """Return what is said of the model at a size; without thousands of names and own paths."""
    # What a plain script's file holds are no options of a training; ``made`` says how it was.
    config = {} if info.legacy else info.config
    return dataclasses.replace(
        info,
        legacy=False,
        preprocess=PreprocessContract(size_hw, info.preprocess.crop),
        observation=info.observation_contract.to_dict(),
        split={},
        config={name: _without_folders(value) for name, value in config.items()},
    )


def _without_folders(value: Any) -> Any:
    if isinstance(value, str) and PurePath(value).is_absolute():
        return PurePath(value).name
    return value
