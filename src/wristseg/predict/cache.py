"""Where prediction keeps what it makes once per machine: exported checkpoints, measured runtimes.

The folder is ``$WRISTSEG_CACHE``, else ``wristseg`` in the user's cache folder; deleting it costs
only the time to make its files again. What cannot be written there is made anew in each process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import atomic_path, sha256_of
from wristseg.errors import CheckpointError, MissingExtraError
from wristseg.model_info import ModelInfo
from wristseg.onnx_file import parse_sealed, read_sealed
from wristseg.packed_file import PACKED_SUFFIX, read_packed

__all__ = ["cache_dir", "exported_checkpoint", "write_if_possible"]

#: What decides which graph a checkpoint becomes; the cache's names hold a digest of it.
_GRAPH_SOURCES = (
    "preprocess.py",
    "modeling/export_graph.py",
    "modeling/network.py",
    "modeling/onnx_export.py",
)

#: Exports that were not used for this long make room for others.
_KEPT_S = 60 * 24 * 3600

#: Of the pixels of a frame, at least so many have the class that PyTorch finds. Every one did with
#: trained models; a resize inside the graph rounds one byte of 20,000 the other way.
_AGREEMENT = {"own": 0.999, "camera": 0.98}


def cache_dir() -> Path:
    """Return the cache folder; it need not exist."""
    own = os.environ.get("WRISTSEG_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "wristseg"
    try:
        return Path.home() / ".cache" / "wristseg"
    except RuntimeError:  # a container's user without a home
        return Path(tempfile.gettempdir()) / f"wristseg-{os.getuid()}"


def exported_checkpoint(
    path: Path, *, frame_hw: tuple[int, int] | None = None
) -> tuple[bytes, ModelInfo]:
    """Return a checkpoint's ONNX file from the cache, exporting it first where it is not there.

    Args:
        path: A ``.ckpt`` file, or the ``.json`` of a packed model.
        frame_hw: Size of the frames the graph takes, which are then BGR, as OpenCV's cameras give
            them; None for RGB frames of the network's own size.

    Returns:
        The whole file, and what it says about itself; its path is that of the checkpoint.

    Raises:
        CheckpointError: The checkpoint cannot be used, or its export gives other masks.
        MissingExtraError: It is not in the cache, and PyTorch or the exporter is not installed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if path.suffix == PACKED_SUFFIX:
        read_packed(path)  # the hash of a record is that of a whole model only if this passes
    sha256 = sha256_of(path)
    size = "own" if frame_hw is None else f"{frame_hw[0]}x{frame_hw[1]}-bgr"
    kept = cache_dir() / "exports" / f"{sha256[:32]}-{size}-{_graph_digest()}.onnx"
    with contextlib.suppress(CheckpointError, OSError):
        content, info = read_sealed(kept)
        if info.export is not None and info.export.checkpoint_sha256 == sha256:
            kept.touch()
            return content, dataclasses.replace(info, path=path)
    content, info = _export(path, frame_hw)
    write_if_possible(kept, content)
    _drop_unused(kept.parent)
    return content, info


def write_if_possible(path: Path, content: bytes) -> None:
    """Write a file of the cache, atomically; a cache that cannot be written to is no error."""
    with contextlib.suppress(OSError), atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _graph_digest() -> str:
    package = Path(__file__).resolve().parents[1]
    sources = b"".join((package / name).read_bytes() for name in _GRAPH_SOURCES)
    return hashlib.sha256(sources).hexdigest()[:8]


def _drop_unused(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in folder.glob("*.onnx"):
            if time.time() - path.stat().st_mtime > _KEPT_S:
                path.unlink()


def _export(path: Path, frame_hw: tuple[int, int] | None) -> tuple[bytes, ModelInfo]:
    with _status(f"{path.name}: making it ready for this machine, once (about ten seconds)"):
        try:
            from wristseg.modeling.onnx_export import export_checkpoint
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "torch", "export") from error
        order: Literal["rgb", "bgr"] = "rgb" if frame_hw is None else "bgr"
        content = export_checkpoint(path, frame_hw=frame_hw, color_order=order)
        info = parse_sealed(content, path)
        _require_agreement(content, info)
    return content, info


def _require_agreement(content: bytes, info: ModelInfo) -> None:
    """Hold an export against its checkpoint on one frame, before anything relies on it.

    Raises:
        CheckpointError: Their masks differ by more than rounding explains.
    """
    from wristseg.predict.runtimes import open_any
    from wristseg.predict.torch_backend import load_torch_backend

    assert info.export is not None
    backend = open_any(content, info)
    frame = _probe(backend.frame_hw)  # RGB
    given = frame if backend.color_order == "rgb" else frame[..., ::-1]
    contract = info.preprocess
    own = backend.frame_hw == contract.size_hw
    reference, _ = load_torch_backend(info.path, device="cpu")
    prepared = frame if own else contract.resize_frame(frame)
    expected = reference.class_ids(np.stack([prepared]))[0]
    if not own:
        expected = contract.restore_mask(expected, backend.frame_hw)
    agreement = float((backend.class_ids(given[None])[0] == expected).mean())
    if agreement < _AGREEMENT["own" if own else "camera"]:
        raise CheckpointError(
            f"{info.path}: its export gives the checkpoint's class to only {agreement:.2%} of the "
            "pixels of a test frame; set WRISTSEG_RUNTIME=torch, and please report it"
        )


def _probe(frame_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a frame of soft coloured patches, the same each time: (H, W, 3) uint8."""
    height, width = frame_hw
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@contextlib.contextmanager
def _status(text: str) -> Iterator[None]:
    """Say why it takes seconds, where somebody is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield
