"""What the benchmark ran on: processor, cores, memory, versions."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from wristseg.artifacts import versions

__all__ = ["ProcessorTime", "describe_machine", "library_versions"]

_LIBRARIES = ("torchvision", "onnxruntime", "openvino", "segmentation-models-pytorch")

#: Instruction sets that decide how fast a network runs on x86.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


@dataclass(frozen=True)
class ProcessorTime:
    """The system's count of processor time, in ticks since it started.

    Attributes:
        total: Of all processors, idle time included.
        stolen: What a virtual machine's host gave to others meanwhile.
    """

    total: int
    stolen: int

    @classmethod
    def now(cls) -> Self | None:
        """Read the counters; None where the system has none."""
        try:
            first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
        except OSError:  # not Linux
            return None
        ticks = [int(value) for value in first.split()[1:9]]
        return cls(total=sum(ticks), stolen=ticks[7])

    def stolen_since(self, before: Self) -> float:
        """Return the share of time that was stolen since ``before``, 0 to 1."""
        return (self.stolen - before.stolen) / max(self.total - before.total, 1)


def describe_machine() -> dict[str, Any]:
    """Return processor, usable cores, memory in GiB, instruction sets, load and system."""
    flags = _cpuinfo("flags").split()
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": _usable_cores(),
        "memory_gib": _memory_gib(),
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "load_before": round(os.getloadavg()[0], 2),
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
