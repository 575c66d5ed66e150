"""Checkpoints: from a file to a network and what is known about it.

Comes in: a ``.ckpt`` of ``wristseg train``, or of the plain Lightning script that came before it
(same names in ``state_dict``; no ``wristseg`` entry, so classes and sizes come from its
hyper-parameters), or the record of a packed model. Goes out: a :class:`SegmentationNetwork` with
these weights and a ``ModelInfo``. Called by prediction, ``wristseg info`` and ``train --pretrained
PATH``.
"""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wristseg.classes import DEFAULT_CLASSES, IGNORE_INDEX, ClassTable
from wristseg.errors import CheckpointError, DataError
from wristseg.model_info import ModelInfo
from wristseg.modeling.network import SegmentationNetwork
from wristseg.modeling.packed import read_packed_state
from wristseg.modeling.safe_load import load_untrusted
from wristseg.packed_file import PACKED_SUFFIX
from wristseg.preprocess import PreprocessContract

__all__ = ["FORMAT_VERSION", "load_network", "read_checkpoint_info"]

#: Version of the ``wristseg`` entry that this code writes and reads.
FORMAT_VERSION = 1

#: Lightning builds whatever class these name; no checkpoint of this network has use for them.
_HOSTILE_KEYS = ("_instantiator", "_class_path", "class_path")
_MAX_SIDE = 16384
_LISTED = 5  # names per kind of difference in a message


def load_network(
    path: Path | str, *, device: torch.device | str = "cpu"
) -> tuple[SegmentationNetwork, ModelInfo]:
    """Read a checkpoint and build its network, in evaluation mode.

    Args:
        path: A local ``.ckpt`` file, or the ``.json`` of a packed model.
        device: Where the network is put.

    Returns:
        The network and what the file says about it.

    Raises:
        CheckpointError: The file is damaged, unsafe, of another network, or contradicts itself.
    """
    path = Path(path)
    if path.suffix == PACKED_SUFFIX:
        state, info = read_packed_state(path)
        _check_finite(state, path)
        _check_class_count(len(info.classes), state, path)
    else:
        content = load_untrusted(path)
        state = _state_dict(content, path)
        info = _info(content, state, path)
    network = SegmentationNetwork(len(info.classes))
    _check_fits(state, network.state_dict(), path)
    network.load_state_dict(state)
    return network.eval().to(device), info


def read_checkpoint_info(path: Path | str) -> ModelInfo:
    """Return what a checkpoint says about itself; reads and checks the weights as well.

    Raises:
        CheckpointError: As for :func:`load_network`.
    """
    return load_network(path)[1]


def _state_dict(content: dict[str, Any], path: Path) -> dict[str, Tensor]:
    state = content.get("state_dict")
    if not isinstance(state, dict) or not state:
        keys = ", ".join(sorted(map(str, content))[:_LISTED]) or "nothing"
        raise CheckpointError(
            f"{path}: has no state_dict but {keys}; expected a checkpoint of wristseg train "
            "or of the Lightning script"
        )
    others = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if others:
        raise CheckpointError(f"{path}: state_dict holds no tensor under {_listed(others)}")
    _check_finite(state, path)
    # torch.compile puts its own part in front of every name.
    return {str(name).removeprefix("_orig_mod."): value for name, value in state.items()}


def _check_finite(state: dict[str, Tensor], path: Path) -> None:
    bad = [
        str(name)
        for name, value in state.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    if bad:
        raise CheckpointError(
            f"{path}: NaN or infinity in {len(bad)} tensors: {_listed(bad)}; "
            "the training diverged, use an earlier checkpoint"
        )


def _check_fits(state: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    reshaped = [
        f"{name} {list(state[name].shape)} (expected {list(expected[name].shape)})"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    differences = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    found = [f"{len(names)} {kind}: {_listed(names)}" for kind, names in differences if names]
    if found:
        parts = ", ".join(dict.fromkeys(name.split(".")[0] for name in state))
        raise CheckpointError(
            f"{path}: weights do not fit EfficientViT-B0 with the four-level decoder. "
            f"The file holds {len(state)} tensors of a network with the parts {parts}; "
            + "; ".join(found)
        )


def _info(content: dict[str, Any], state: dict[str, Tensor], path: Path) -> ModelInfo:
    hyper_parameters = content.get("hyper_parameters", {})
    if not isinstance(hyper_parameters, dict):
        raise CheckpointError(f"{path}: hyper_parameters is no dict")
    for holder in (content, hyper_parameters, content.get("datamodule_hyper_parameters")):
        hostile = [key for key in _HOSTILE_KEYS if isinstance(holder, dict) and key in holder]
        if hostile:
            raise CheckpointError(
                f"{path}: names a class to build ({_listed(hostile)}), which could run code; "
                "nothing of it was run"
            )
    if "wristseg" in content:
        return _info_of_ours(content, state, path)
    return _info_of_legacy(content, hyper_parameters, state, path)


def _info_of_ours(content: dict[str, Any], state: dict[str, Tensor], path: Path) -> ModelInfo:
    said = content["wristseg"]
    if not isinstance(said, dict) or said.get("format_version") != FORMAT_VERSION:
        version = said.get("format_version") if isinstance(said, dict) else type(said).__name__
        raise CheckpointError(
            f"{path}: format version {version!r}, this version of wristseg reads {FORMAT_VERSION}"
        )
    try:
        classes = ClassTable.from_dict(said.get("classes"), where=path)
        preprocess = PreprocessContract.from_dict(said["preprocess"])
    except (DataError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    _check_class_count(len(classes), state, path)
    _check_size(preprocess.size_hw, path)
    return ModelInfo(
        path=path,
        legacy=False,
        classes=classes,
        preprocess=preprocess,
        num_parameters=_num_parameters(state),
        weights_source=_entry(said, "weights_source", str, path),
        dataset_sha256=_entry(said, "dataset_sha256", str, path),
        split=_entry(said, "split", dict, path) or {},
        git_commit=_entry(said, "git_commit", str, path),
        versions=_entry(said, "versions", dict, path) or {},
        metrics=_entry(said, "metrics", dict, path) or {},
        config=_entry(said, "config", dict, path) or {},
        observation=_entry(said, "observation", dict, path),
        epoch=_entry(content, "epoch", int, path),
        loss=_entry(_entry(said, "config", dict, path) or {}, "loss", str, path),
        seed=_entry(said, "seed", int, path),
    )


def _info_of_legacy(
    content: dict[str, Any], hyper_parameters: dict[str, Any], state: dict[str, Tensor], path: Path
) -> ModelInfo:
    num_classes = _check_class_count(hyper_parameters.get("num_classes"), state, path)
    version = _entry(content, "pytorch-lightning_version", str, path)
    return ModelInfo(
        path=path,
        legacy=True,
        classes=DEFAULT_CLASSES if num_classes == len(DEFAULT_CLASSES) else _numbered(num_classes),
        preprocess=PreprocessContract(_legacy_size_hw(hyper_parameters, path)),
        num_parameters=_num_parameters(state),
        versions={} if version is None else {"lightning": version},
        metrics=_monitored(content),
        config=hyper_parameters,
        epoch=_entry(content, "epoch", int, path),
        loss=_entry(hyper_parameters, "loss_type", str, path),
    )


def _check_class_count(said: object, state: dict[str, Tensor], path: Path) -> int:
    """Return the number of classes of the head, which a stated number must equal."""
    weight = state.get("seg_head.weight")
    # Without a head the names differ as well; that message, not this one, says what the file is.
    count = len(weight) if weight is not None and weight.ndim == 4 else len(DEFAULT_CLASSES)
    if said is not None and said != count:
        raise CheckpointError(
            f"{path}: says {said!r} classes, its seg_head has {count}; the file contradicts itself"
        )
    if not 2 <= count < IGNORE_INDEX:
        raise CheckpointError(f"{path}: {count} classes, expected 2 to {IGNORE_INDEX - 1}")
    return count


def _legacy_size_hw(hyper_parameters: dict[str, Any], path: Path) -> tuple[int, int]:
    square = hyper_parameters.get("img_size")
    if isinstance(square, list | tuple) and len(square) == 2:
        height, width = square
    else:
        height, width = (hyper_parameters.get(name, square) for name in ("img_height", "img_width"))
    if height is None or width is None:
        raise CheckpointError(
            f"{path}: does not say the input size (hyper_parameters img_height and img_width, "
            f"or img_size); it has {_listed(sorted(map(str, hyper_parameters))) or 'none'}"
        )
    _check_size((height, width), path)
    return int(height), int(width)


def _check_size(size_hw: tuple[object, object], path: Path) -> None:
    for side in size_hw:
        if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= _MAX_SIDE:
            raise CheckpointError(
                f"{path}: input size {size_hw[0]!r} x {size_hw[1]!r} (h x w), "
                f"expected whole numbers from 1 to {_MAX_SIDE}"
            )


def _monitored(content: dict[str, Any]) -> dict[str, float]:
    """Return what Lightning's ModelCheckpoint watched, for example ``{"val/iou": 0.81}``."""
    callbacks = content.get("callbacks")
    for state in callbacks.values() if isinstance(callbacks, dict) else ():
        if isinstance(state, dict) and isinstance(state.get("monitor"), str):
            score = state.get("current_score")
            if isinstance(score, int | float) or (isinstance(score, Tensor) and score.numel() == 1):
                return {state["monitor"]: float(score)}
    return {}


def _numbered(num_classes: int) -> ClassTable:
    names = tuple(f"class_{i}" for i in range(num_classes))
    hues = ((i * 0.618) % 1.0 for i in range(1, num_classes))  # golden ratio: neighbours differ
    colors = [tuple(round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.7, 0.95)) for hue in hues]
    return ClassTable(
        names=names,
        colors_rgb=((0, 0, 0), *((r, g, b) for r, g, b in colors)),
        draw_orders={"default": names[1:], "grasp": names[1:]},
    )


def _num_parameters(state: dict[str, Tensor]) -> int:
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return sum(value.numel() for name, value in state.items() if not name.endswith(buffers))


def _entry(holder: dict[str, Any], key: str, kind: type, path: Path) -> Any:
    value = holder.get(key)
    if value is not None and not isinstance(value, kind):
        raise CheckpointError(
            f"{path}: {key} is a {type(value).__name__}, expected {kind.__name__}"
        )
    return value


def _listed(names: list[str]) -> str:
    hidden = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {hidden} more" if hidden > 0 else "")
