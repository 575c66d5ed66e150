"""Start weights: what a new network holds before its first step (``--pretrained``).

``imagenet`` are timm's, from the local hub cache or the hub; ``sim`` ships in the package, the set
that suits the size of the frames; a path is a checkpoint of this project or of the plain script;
``auto`` takes ImageNet weights where they can be had, else ``sim``, and says which. A source that
was named is never replaced by another. Called by ``train.fit``.
"""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
import torch

from wristseg.errors import CheckpointError, UsageError
from wristseg.modeling.network import BACKBONE, SegmentationNetwork
from wristseg.packed_file import (
    SHIPPED_MODELS,
    model_path,
    read_packed,
    shipped_for,
    shipped_weights,
)

__all__ = ["StartWeights", "load_start_weights"]

_REPOSITORY = f"timm/{BACKBONE}"
_FILE = "model.safetensors"

#: The hub's own client tries six times for 23 s (measured) before it says that there is no network.
_PROBE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class StartWeights:
    """Which weights a training started from.

    Attributes:
        source: ``imagenet``, ``sim-84 (SHA-256 ...)`` or ``sim-640 (SHA-256 ...)``, ``none`` or
            ``checkpoint <file name>``, as checkpoints carry it.
        message: One line for the person who trains.
    """

    source: str
    message: str


def load_start_weights(
    network: SegmentationNetwork, choice: str, *, size_hw: tuple[int, int] = (480, 640)
) -> StartWeights:
    """Fill a freshly initialised network with the chosen start weights.

    Args:
        network: Changed in place.
        choice: ``auto``, ``imagenet``, ``sim`` (or ``sim-84``, ``sim-640``), ``none`` or the path
            of a checkpoint.
        size_hw: Height and width that the network will be trained at; ``sim`` goes by it.

    Raises:
        UsageError: There is no file at the path.
        CheckpointError: The ImageNet weights cannot be had, this build ships no simulation weights,
            or the file is no such checkpoint.
    """
    if choice == "none":
        return StartWeights("none", "start weights: none, training from scratch")
    if choice == "sim":
        return _load_shipped(network, shipped_for(size_hw))
    if choice in SHIPPED_MODELS:
        return _load_shipped(network, choice)
    if choice == "imagenet":
        return _load_imagenet(network, _imagenet_file())
    if choice == "auto":
        return _load_what_can_be_had(network, size_hw)
    return _load_checkpoint(network, Path(choice))


def _load_what_can_be_had(network: SegmentationNetwork, size_hw: tuple[int, int]) -> StartWeights:
    try:
        path = _imagenet_file()
    except CheckpointError:
        why = "the ImageNet weights are neither in the hub cache nor is the hub reachable"
        name = shipped_for(size_hw)
        if shipped_weights(name) is None:
            message = f"start weights: none, training from scratch ({why}, and this build ships "
            return StartWeights("none", f"{message}no simulation weights)")
        sim = _load_shipped(network, name)
        return StartWeights(sim.source, f"{sim.message} ({why})")
    return _load_imagenet(network, path)


def _load_shipped(network: SegmentationNetwork, name: str) -> StartWeights:
    path = model_path(name)
    sha256 = read_packed(path).tensors_sha256
    head = _fill(network, path)
    if not head:
        _reset_unlabeled(network)
    return StartWeights(
        f"{name} (SHA-256 {sha256[:12]})", f"start weights: {name}, from simulation{head}"
    )


def _load_imagenet(network: SegmentationNetwork, path: Path) -> StartWeights:
    # timm maps the classifier's parameter names to those of the feature network.
    overlay: dict[str, Any] = {"file": str(path)}
    trained = timm.create_model(
        BACKBONE, features_only=True, pretrained=True, pretrained_cfg_overlay=overlay
    )
    network.backbone.load_state_dict(trained.state_dict())
    return StartWeights("imagenet", f"start weights: ImageNet ({_REPOSITORY}) in the backbone")


def _imagenet_file() -> Path:
    """Return the path of timm's weights in the hub cache, downloading them if need be."""
    try:
        return Path(huggingface_hub.hf_hub_download(_REPOSITORY, _FILE, local_files_only=True))
    except FileNotFoundError:
        pass  # not in the cache: ask the hub
    try:
        _probe_hub()
        return Path(huggingface_hub.hf_hub_download(_REPOSITORY, _FILE))
    except OSError as error:
        raise CheckpointError(
            f"--pretrained imagenet: {_REPOSITORY} is not in the hub cache and cannot be "
            f"downloaded ({error}); connect to the network once, copy the cache folder (HF_HOME) "
            "from a machine that has it, or use --pretrained none"
        ) from error


def _probe_hub() -> None:
    """Ask the hub once whether it is there; how it answers is for its own client to judge.

    Raises:
        OSError: There is no way to the hub.
    """
    if huggingface_hub.is_offline_mode():
        raise OSError("HF_HUB_OFFLINE is set")
    url = huggingface_hub.hf_hub_url(_REPOSITORY, _FILE)
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - https, or HF_ENDPOINT
    try:
        urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_S).close()  # noqa: S310
    except urllib.error.HTTPError:
        return
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):
            raise


def _load_checkpoint(network: SegmentationNetwork, path: Path) -> StartWeights:
    if not path.is_file():
        raise UsageError(
            f"--pretrained {path}: expected auto, imagenet, sim, none or the path of a checkpoint, "
            "and there is no such file"
        )
    return StartWeights(f"checkpoint {path.name}", f"start weights: {path}{_fill(network, path)}")


def _fill(network: SegmentationNetwork, path: Path) -> str:
    """Copy a model's weights; return what there is to say about the head."""
    from wristseg.modeling.checkpoint import load_network

    trained, _ = load_network(path)
    weights = trained.state_dict()
    if trained.num_classes == network.num_classes:
        network.load_state_dict(weights)
        return ""
    kept = {name: value for name, value in weights.items() if not name.startswith("seg_head.")}
    network.load_state_dict(kept, strict=False)
    return f", with a new head ({trained.num_classes} classes there, {network.num_classes} here)"


def _reset_unlabeled(network: SegmentationNetwork) -> None:
    """Let the head's class 0, which exact masks never show, start as the mean of the others.

    Simulation has taught the head to say it nowhere, and a hundred epochs do not undo that; the
    mean is nearest to the winner where classes meet, which is where nobody drew.
    """
    head = network.seg_head
    assert head.bias is not None
    with torch.no_grad():
        head.weight[0] = head.weight[1:].mean(dim=0)
        head.bias[0] = head.bias[1:].mean()
