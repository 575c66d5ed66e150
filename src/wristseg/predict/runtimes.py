"""Which runtime runs a model: those installed, and the one that was measured faster here.

In: an exported model. Out: a backend. The choice is measured once per machine, versions, thread
count and model, and kept in the cache. Called by ``Segmenter.load``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import time
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal, get_args

from wristseg.errors import CheckpointError, MissingExtraError, UsageError
from wristseg.model_info import ModelInfo
from wristseg.predict.backend import Backend, default_threads
from wristseg.predict.cache import cache_dir, write_if_possible

__all__ = ["Runtime", "exported_backend", "installed_runtimes", "open_any"]

Runtime = Literal["auto", "onnxruntime", "openvino", "torch"]

_ROUNDS = 7
_RUNS_PER_ROUND = 3


@dataclass(frozen=True)
class _Measured:
    """Median milliseconds per frame, by runtime."""

    median_ms: dict[str, float]

    @property
    def fastest(self) -> str:
        return min(self.median_ms, key=self.median_ms.__getitem__)


def installed_runtimes() -> list[str]:
    """Return the runtimes for exported models that are installed, without importing them."""
    return [name for name in ("onnxruntime", "openvino") if util.find_spec(name) is not None]


def exported_backend(
    model: bytes, info: ModelInfo, *, runtime: Runtime = "auto", threads: int | None = None
) -> Backend:
    """Open an exported model with a runtime.

    Args:
        model: A whole ``.onnx`` file of ``wristseg export``.
        info: What it says about itself.
        runtime: ``onnxruntime``, ``openvino``, or ``auto`` for the one that is faster here.
        threads: Threads of one run; None for the cores this process may use.

    Raises:
        UsageError: There is no such runtime for exported models.
        MissingExtraError: The runtime is not installed.
        CheckpointError: The runtime cannot run the model.
    """
    installed = installed_runtimes()
    if runtime != "auto":
        if runtime not in {"onnxruntime", "openvino"}:
            names = ", ".join(name for name in get_args(Runtime) if name != "torch")
            raise UsageError(f"runtime {runtime} for an exported model: expected {names}")
        if runtime not in installed:
            raise MissingExtraError(runtime, "openvino" if runtime == "openvino" else "all")
        return _open(runtime, model, info, threads)
    if not installed:
        raise MissingExtraError("onnxruntime", "all")
    if len(installed) == 1:
        return _open(installed[0], model, info, threads)
    return _faster(installed, model, info, threads)


def open_any(model: bytes, info: ModelInfo) -> Backend:
    """Open an exported model with the first installed runtime that takes it, untimed.

    Raises:
        MissingExtraError: None is installed.
        CheckpointError: None takes it.
    """
    installed = installed_runtimes()
    if not installed:
        raise MissingExtraError("onnxruntime", "all")
    return next(iter(_those_that_open(installed, model, info, None).values()))


def _open(runtime: str, model: bytes, info: ModelInfo, threads: int | None) -> Backend:
    backend: Backend
    if runtime == "onnxruntime":
        from wristseg.predict.onnx_backend import OnnxBackend

        backend = OnnxBackend(model, info, threads=threads)
    else:
        from wristseg.predict.openvino_backend import OpenVinoBackend

        backend = OpenVinoBackend(model, info, threads=threads, cache_dir=cache_dir() / "openvino")
    return backend


def _faster(installed: list[str], model: bytes, info: ModelInfo, threads: int | None) -> Backend:
    kept = _record_of(installed, model, threads)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = _Measured(json.loads(kept.read_text(encoding="utf-8"))["median_ms"]).fastest
        if known in installed:
            return _open(known, model, info, threads)
    _make_cache_folder("openvino")
    backends = _those_that_open(installed, model, info, threads)
    measured = _Measured(_medians_ms(backends))
    write_if_possible(kept, json.dumps({"median_ms": measured.median_ms}).encode())
    return backends[measured.fastest]


def _those_that_open(
    installed: list[str], model: bytes, info: ModelInfo, threads: int | None
) -> dict[str, Backend]:
    backends: dict[str, Backend] = {}
    for name in installed:
        try:
            backends[name] = _open(name, model, info, threads)
        except CheckpointError:
            if name == installed[-1] and not backends:
                raise
    return backends


def _medians_ms(backends: dict[str, Backend]) -> dict[str, float]:
    """Time the backends in turns; a run right after another runtime's is left out."""
    taken: dict[str, list[float]] = {name: [] for name in backends}
    for _ in range(_ROUNDS):
        for name, backend in backends.items():
            backend.run()
            for _ in range(_RUNS_PER_ROUND):
                started = time.perf_counter()
                backend.run()
                taken[name].append(1000 * (time.perf_counter() - started))
    return {name: sorted(times)[len(times) // 2] for name, times in taken.items()}


def _make_cache_folder(name: str) -> None:
    with contextlib.suppress(OSError):
        (cache_dir() / name).mkdir(parents=True, exist_ok=True)


def _record_of(installed: list[str], model: bytes, threads: int | None) -> Path:
    """Return the file with the measurement for this machine, these versions and this model."""
    facts = [
        platform.machine(),
        _cpu_name(),
        str(default_threads() if threads is None else threads),
        *(f"{name} {_version(name)}" for name in installed),
        hashlib.sha256(model).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    return cache_dir() / "runtimes" / f"{digest}.json"


def _version(name: str) -> str:
    # The module onnxruntime may also come from onnxruntime-gpu and other distributions.
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return "of another distribution"


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
