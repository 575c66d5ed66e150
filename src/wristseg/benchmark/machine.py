"""What the benchmark ran on: processor, cores, memory, versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from wristseg.artifacts import versions

__all__ = ["describe_machine", "library_versions"]

_LIBRARIES = ("torchvision", "onnxruntime", "openvino", "segmentation-models-pytorch")

#: Instruction sets that decide how fast a network runs on x86.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


def describe_machine() -> dict[str, Any]:
    """Return processor, usable cores, memory in GiB, instruction sets and system."""
    flags = _cpuinfo("flags").split()
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": _usable_cores(),
        "memory_gib": _memory_gib(),
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "system": platform.platform(terse=True),
    }


def library_versions() -> dict[str, str]:
    """Return the versions that shape the figures, those of the opponents included."""
    found = versions()
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(key))
    return next(values, "")


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(total / 2**30, 1)
