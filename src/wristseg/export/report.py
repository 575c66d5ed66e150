"""What an export came to: ``export_report.json`` and a picture of the worst frame.

One report lies in each folder, with an entry per exported file in it. Called by the export stage.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.artifacts import git_commit, versions
from wristseg.classes import ClassTable
from wristseg.errors import UsageError
from wristseg.export.parity import Parity
from wristseg.overlay import blend

__all__ = ["merged_report", "origin", "parity_entry", "read_report", "worst_picture"]

_RUNTIMES = ("onnx", "onnxruntime", "openvino")


def read_report(path: Path) -> dict[str, Any]:
    """Return the entries of the report in a folder, none if there is no report.

    Raises:
        UsageError: The file there is no report of wristseg export.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["exports"]
        if not isinstance(entries, dict):
            raise TypeError(f"exports is {type(entries).__name__}")
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: is no report of wristseg export ({error!r}); move it away, or choose "
            "another folder with --output"
        ) from error
    return entries


def merged_report(
    earlier: Mapping[str, Any], name: str, entry: Mapping[str, Any], *, folder: Path
) -> bytes:
    """Return a report with one entry added, and without those whose file is gone."""
    kept = {key: value for key, value in earlier.items() if (folder / key).is_file()}
    content = {"exports": {**kept, name: entry}}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def parity_entry(parity: Parity, classes: ClassTable) -> dict[str, Any]:
    """Return how alike the masks are: agreement, worst frame, val/iou and IoU by class."""
    iou = parity.val_iou()
    return {
        "pixel_agreement": parity.agreement,
        "worst_frame": {
            "name": parity.worst.frame.name,
            "pixel_agreement": parity.worst.agreement,
        },
        "val_iou": None if iou is None else _change(*iou),
        "class_iou": {name: _change(*both) for name, both in parity.class_iou(classes).items()},
    }


def origin() -> dict[str, Any]:
    """Return what made the file: commit, versions, machine."""
    found = versions()
    for name in _RUNTIMES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    machine = {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()}
    return {"git_commit": git_commit(), "versions": found, "machine": machine}


def worst_picture(
    frame_rgb: NDArray[np.uint8],
    masks: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    classes: ClassTable,
) -> bytes:
    """Return a PNG: frame, checkpoint's mask, export's mask, and where they differ in white.

    Args:
        frame_rgb: (H, W, 3) uint8.
        masks: Of the checkpoint and of the export, (H, W) uint8 each.
        classes: For the colours.
    """
    differing = (masks[0] != masks[1])[..., None]
    difference = np.where(differing, np.uint8(255), frame_rgb // 4)
    panels = [frame_rgb, *(blend(frame_rgb, mask, classes) for mask in masks), difference]
    png = io.BytesIO()
    Image.fromarray(np.hstack(panels)).save(png, format="PNG")
    return png.getvalue()


def _change(before: float, after: float) -> dict[str, float | None]:
    figures = {"checkpoint": before, "export": after, "change": after - before}
    # A class that never occurs has no IoU, and JSON no NaN.
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
