"""What runs a network behind a ``Segmenter``: one implementation per runtime."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Backend", "default_threads", "one_by_one"]


class Backend(Protocol):
    """A network at one input size.

    Attributes:
        runtime: ``onnxruntime``, ``openvino`` or ``torch``.
        device: Where it runs, for example ``cpu`` or ``cuda:0``.
        frame_hw: Height and width of the frames it takes.
        color_order: Order of their channels, ``rgb`` or ``bgr``.
        frame: (H, W, 3) uint8; write a frame into it and call ``run``. The same memory
            throughout, so that a loop allocates nothing.
        ids: (H, W) uint8, the class ids of the last ``run``; overwritten by the next one.
    """

    runtime: str
    device: str
    frame_hw: tuple[int, int]
    color_order: str
    frame: NDArray[np.uint8]
    ids: NDArray[np.uint8]

    def run(self) -> None:
        """Turn ``frame`` into ``ids``."""

    def class_ids(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn (N, H, W, 3) uint8 into (N, H, W) uint8 class ids, in memory of their own."""


def one_by_one(backend: Backend, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Run a backend on one frame after another; see ``Backend.class_ids``."""
    found = np.empty(frames.shape[:3], np.uint8)
    for frame, ids in zip(frames, found, strict=True):
        np.copyto(backend.frame, frame)
        backend.run()
        np.copyto(ids, backend.ids)
    return found


def default_threads() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
