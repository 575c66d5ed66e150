"""Where prediction keeps what it makes once per machine: exported checkpoints, measured runtimes.

The folder is ``$WRISTSEG_CACHE``, else ``wristseg`` in the user's cache folder; deleting it costs
only the time to make its files again. What cannot be written there is made anew in each process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from wristseg.artifacts import atomic_path, sha256_of
from wristseg.errors import CheckpointError, MissingExtraError
from wristseg.model_info import ModelInfo
from wristseg.onnx_file import parse_sealed, read_sealed

__all__ = ["cache_dir", "exported_checkpoint", "write_if_possible"]

#: Part of the files' names; to be raised when the same checkpoint gives another graph.
_GRAPH_VERSION = 1


def cache_dir() -> Path:
    """Return the cache folder; it need not exist."""
    own = os.environ.get("WRISTSEG_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wristseg"


def exported_checkpoint(
    path: Path, *, frame_hw: tuple[int, int] | None = None
) -> tuple[bytes, ModelInfo]:
    """Return a checkpoint's ONNX file from the cache, exporting it first where it is not there.

    Args:
        path: A ``.ckpt`` file.
        frame_hw: Size of the frames the graph takes; None for the network's own.

    Returns:
        The whole file, and what it says about itself; its path is that of the checkpoint.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        MissingExtraError: It is not in the cache, and PyTorch or the exporter is not installed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    sha256 = sha256_of(path)
    size = "own" if frame_hw is None else f"{frame_hw[0]}x{frame_hw[1]}"
    kept = cache_dir() / "exports" / f"{sha256[:32]}-{size}-v{_GRAPH_VERSION}.onnx"
    with contextlib.suppress(CheckpointError, OSError):
        content, info = read_sealed(kept)
        if info.export is not None and info.export.checkpoint_sha256 == sha256:
            return content, dataclasses.replace(info, path=path)
    content = _export(path, frame_hw)
    write_if_possible(kept, content)
    return content, parse_sealed(content, path)


def write_if_possible(path: Path, content: bytes) -> None:
    """Write a file of the cache, atomically; a cache that cannot be written to is no error."""
    with contextlib.suppress(OSError), atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _export(path: Path, frame_hw: tuple[int, int] | None) -> bytes:
    with _status(f"{path.name}: making it ready for this machine, once (about ten seconds)"):
        try:
            from wristseg.modeling.onnx_export import export_checkpoint
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "torch", "export") from error
        return export_checkpoint(path, frame_hw=frame_hw)


@contextlib.contextmanager
def _status(text: str) -> Iterator[None]:
    """Say why it takes seconds, where somebody is looking."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield
