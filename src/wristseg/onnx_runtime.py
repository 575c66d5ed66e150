"""The one way to import ONNX Runtime: with its telemetry off.

From 1.29 on its official builds for Linux report sessions to their maker unless a variable is set
before the library is loaded; its ``disable_telemetry_events`` comes too late (seen with 1.32: a
device id is made by then). Called by prediction, export and the benchmark.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

__all__ = ["import_onnxruntime"]


def import_onnxruntime(submodule: str | None = None) -> ModuleType:
    """Return ``onnxruntime``, or a submodule of it such as ``quantization``.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    name = "onnxruntime" if submodule is None else f"onnxruntime.{submodule}"
    return importlib.import_module(name)
