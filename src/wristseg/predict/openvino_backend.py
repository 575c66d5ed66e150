"""Runs an exported model with OpenVINO, on the CPU."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from wristseg.errors import CheckpointError
from wristseg.model_info import ModelInfo
from wristseg.predict.backend import default_threads, one_by_one

__all__ = ["OpenVinoBackend"]

#: One for the whole process. On Linux a core gives the thread that first compiles with it a stack
#: for signals and unmaps it when it is freed itself. Freed in another thread, or before a younger
#: core (which puts it back later), it leaves the thread with the unmapped stack, and the next
#: signal, Ctrl-C say, ends the process with SIGSEGV and not a word.
#: https://github.com/openvinotoolkit/openvino/pull/11894
_CORE = openvino.Core()


class OpenVinoBackend:
    """One infer request whose input and output lie in memory that stays.

    Args:
        model: A whole ``.onnx`` file of ``wristseg export``, or its pair of ``.xml`` and ``.bin``.
        info: What it says about itself.
        threads: Threads of one run; None for the cores this process may use.
        cache_dir: Where OpenVINO may keep compiled models; None for nowhere.

    Raises:
        CheckpointError: OpenVINO cannot run the model.
    """

    runtime = "openvino"
    device = "cpu"

    def __init__(
        self,
        model: bytes | tuple[bytes, bytes],
        info: ModelInfo,
        *,
        threads: int | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        assert info.export is not None
        self.frame_hw = info.export.frame_hw
        self.color_order = info.export.color_order
        self.frame = np.zeros((*self.frame_hw, 3), np.uint8)
        self.ids = np.zeros(self.frame_hw, np.uint8)
        options: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": default_threads() if threads is None else threads,
            # Where the CPU has bfloat16, OpenVINO would take it: up to 0.7 % other labels.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if cache_dir is not None and os.access(cache_dir, os.W_OK):
            options["CACHE_DIR"] = str(cache_dir)
        try:
            read = _CORE.read_model(*((model,) if isinstance(model, bytes) else model))
            read.reshape([1, *self.frame.shape])
            compiled = _CORE.compile_model(read, "CPU", options)
            self._request = compiled.create_infer_request()
            self._request.set_input_tensor(openvino.Tensor(self.frame[None], shared_memory=True))
            self._request.set_output_tensor(openvino.Tensor(self.ids[None], shared_memory=True))
        except RuntimeError as error:
            raise CheckpointError(f"{info.path}: OpenVINO refuses it: {error}") from error

    def run(self) -> None:
        """Turn ``frame`` into ``ids``."""
        self._request.infer()

    def class_ids(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn (N, H, W, 3) uint8 into (N, H, W) uint8 class ids, one frame after another."""
        return one_by_one(self, frames)
