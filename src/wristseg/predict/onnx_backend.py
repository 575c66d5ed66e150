"""Runs an exported model with ONNX Runtime, on the CPU."""

from __future__ import annotations

import contextlib
import os

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import CheckpointError
from wristseg.model_info import ModelInfo
from wristseg.onnx_runtime import import_onnxruntime
from wristseg.predict.backend import default_threads, one_by_one

__all__ = ["OnnxBackend"]

_onnxruntime = import_onnxruntime()


class OnnxBackend:
    """One session whose input and output lie in memory that stays.

    Args:
        model: A whole file of ``wristseg export``.
        info: What it says about itself.
        threads: Threads of one run; None for the cores this process may use.

    Raises:
        CheckpointError: ONNX Runtime cannot run the model.
    """

    runtime = "onnxruntime"
    device = "cpu"

    def __init__(self, model: bytes, info: ModelInfo, *, threads: int | None = None) -> None:
        assert info.export is not None
        self.frame_hw = info.export.frame_hw
        self.color_order = info.export.color_order
        self.frame = np.zeros((*self.frame_hw, 3), np.uint8)
        self.ids = np.zeros(self.frame_hw, np.uint8)
        options = _onnxruntime.SessionOptions()
        options.intra_op_num_threads = default_threads() if threads is None else threads
        options.log_severity_level = 3  # errors; warnings are about the exporter's shapes
        # Threads that spin between the operators of a run but not between runs: two frames of a
        # control loop are 33 ms apart, and video decoding wants the core.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._home_cpu, affinities = _places(options.intra_op_num_threads)
        if affinities:
            options.add_session_config_entry("session.intra_op_thread_affinities", affinities)
        options.add_free_dimension_override_by_name("batch", 1)
        try:
            self._session = _onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception types are not public
            raise CheckpointError(f"{info.path}: ONNX Runtime refuses it: {error}") from error
        self._binding = self._session.io_binding()
        self._binding.bind_input(
            self._session.get_inputs()[0].name,
            "cpu", 0, np.uint8, (1, *self.frame.shape), self.frame.ctypes.data,
        )  # fmt: skip
        self._binding.bind_output(
            self._session.get_outputs()[0].name,
            "cpu", 0, np.uint8, (1, *self.ids.shape), self.ids.ctypes.data,
        )  # fmt: skip

    def run(self) -> None:
        """Turn ``frame`` into ``ids``."""
        allowed = os.sched_getaffinity(0) if self._home_cpu is not None else set()
        if self._home_cpu not in allowed:  # also where the caller keeps to other CPUs
            self._session.run_with_iobinding(self._binding)
            return
        try:
            os.sched_setaffinity(0, {self._home_cpu})
            self._session.run_with_iobinding(self._binding)
        finally:
            with contextlib.suppress(OSError):  # those CPUs may be gone from its container
                os.sched_setaffinity(0, allowed)

    def class_ids(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn (N, H, W, 3) uint8 into (N, H, W) uint8 class ids, one frame after another."""
        return one_by_one(self, frames)


def _places(threads: int) -> tuple[int | None, str]:
    """Return the CPU of the calling thread, and ONNX Runtime's text for those of its own threads.

    Left to itself, Linux often wakes the second thread of a short run on the CPU of the first, and
    each then waits for the other's time slice: 6.9 instead of 2.8 ms for the 84x84 model at 50
    frames a second, and every twentieth frame of 640x480 takes twice as long (docs/performance.md).
    Only where a run uses all CPUs of the process; fewer threads have others to move to.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None, ""
    cpus = sorted(os.sched_getaffinity(0))
    if threads < 2 or threads != len(cpus):
        return None, ""
    return cpus[0], ";".join(str(cpu + 1) for cpu in cpus[1:])  # it counts from 1
