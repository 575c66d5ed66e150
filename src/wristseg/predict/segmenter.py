"""The model as a program uses it: a frame in, a mask of class ids out.

In: a checkpoint or an exported model, then camera frames of any size. Out: masks at each frame's
own size. Called by the predict stage, by evaluation and by robot code.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import DataError, MissingExtraError, UsageError
from wristseg.model_info import ModelInfo
from wristseg.onnx_file import read_sealed
from wristseg.packed_file import model_path
from wristseg.predict.backend import Backend
from wristseg.predict.cache import exported_checkpoint
from wristseg.predict.runtimes import Runtime, exported_backend
from wristseg.preprocess import bgr_to_rgb

__all__ = ["Segmenter", "prefers_torch"]

_ColorOrder = Literal["rgb", "bgr"]

#: Where an Nvidia driver shows itself: desktop, WSL, Jetson. Asking PyTorch would mean loading it.
_CUDA_DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvgpu")


class Segmenter:
    """A trained mask model.

    It may be called from several threads; frames are then segmented one after another.

    Args:
        backend: Runs the network on frames that are already cropped and resized.
        info: What the model's file says: classes, preprocessing, origin.
        camera: Runs it on whole frames of one size; None where there is none.
    """

    def __init__(
        self, backend: Backend | None, info: ModelInfo, *, camera: Backend | None = None
    ) -> None:
        if backend is None and camera is None:
            raise ValueError("a segmenter needs a backend, or a camera backend")
        self._network = backend
        self._camera = camera
        self._info = info
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        device: str = "auto",
        runtime: Runtime | None = None,
        threads: int | None = None,
        frame_hw: tuple[int, int] | None = None,
    ) -> Self:
        """Read a model and run it once, so that the first frame takes no longer than the others.

        A checkpoint is exported when it is first met and kept in a cache; from then on it needs no
        PyTorch. On a GPU PyTorch runs it. Masks are the same, whatever runs them.

        Args:
            path: A ``.ckpt`` of ``wristseg train`` or of the plain Lightning script, an ``.onnx``
                or ``.xml`` of ``wristseg export``, or ``sim``, ``sim-640``, ``sim-320``,
                ``sim-84``: weights that ship in the package, by the size of the network's input.
            device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for the first there is of
                cuda, mps and cpu.
            runtime: ``onnxruntime``, ``openvino``, ``torch`` (a checkpoint on any device), or
                ``auto`` for the one that was measured faster on this machine. Where it is not
                given: ``$WRISTSEG_RUNTIME``, else ``auto``.
            threads: Threads of one frame; None for the cores this process may use. PyTorch's belong
                to the whole process and are left alone.
            frame_hw: Height and width of the camera's frames, if they are known: resizing then
                becomes part of the graph that a checkpoint is exported to. Frames of other sizes
                work all the same.

        Raises:
            CheckpointError: The file is damaged, unsafe, or of another network, or this build ships
                no weights of that name.
            UsageError: This machine has no such device, or there is no such runtime.
            MissingExtraError: What is needed to run this file is not installed.
        """
        path = model_path(path)
        chosen = _runtime(runtime)
        if threads is not None and threads < 1:
            raise UsageError(f"threads {threads}: expected 1 or more")
        if path.suffix.lower() in {".onnx", ".xml"}:
            segmenter = cls._of_export(path, device, chosen, threads)
        elif chosen == "torch" or (chosen == "auto" and prefers_torch(device)):
            segmenter = cls._of_torch(path, device)
        elif device not in {"auto", "cpu"}:
            raise UsageError(f"runtime {chosen} runs on the CPU, not on --device {device}")
        else:
            try:
                segmenter = cls._of_checkpoint(path, chosen, threads, frame_hw)
            except MissingExtraError:
                if chosen != "auto":
                    raise
                # No runtime or no exporter: slower, the same masks.
                segmenter = cls._of_torch(path, "cpu")
        segmenter.warm_up()
        return segmenter

    @classmethod
    def _of_export(cls, path: Path, device: str, runtime: Runtime, threads: int | None) -> Self:
        if device not in {"auto", "cpu"}:
            raise UsageError(
                f"{path} runs on the CPU, not on --device {device}; give the checkpoint instead"
            )
        if path.suffix.lower() == ".xml":
            backend, info = _openvino_export(path, runtime, threads)
        else:
            model, info = read_sealed(path)
            backend = exported_backend(model, info, runtime=runtime, threads=threads)
        if backend.frame_hw == info.preprocess.size_hw:
            return cls(backend, info)
        return cls(None, info, camera=backend)

    @classmethod
    def _of_torch(cls, path: Path, device: str) -> Self:
        try:
            from wristseg.predict.torch_backend import load_torch_backend
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "torch", "export") from error
        backend, info = load_torch_backend(path, device=device)
        return cls(backend, info)

    @classmethod
    def _of_checkpoint(
        cls, path: Path, runtime: Runtime, threads: int | None, frame_hw: tuple[int, int] | None
    ) -> Self:
        model, info = exported_checkpoint(path)
        network = exported_backend(model, info, runtime=runtime, threads=threads)
        if frame_hw is None or frame_hw == info.preprocess.size_hw:
            return cls(network, info)
        model, of_camera = exported_checkpoint(path, frame_hw=frame_hw)
        camera = exported_backend(model, of_camera, runtime=runtime, threads=threads)
        return cls(network, info, camera=camera)

    @property
    def info(self) -> ModelInfo:
        """What the model's file says about itself."""
        return self._info

    @property
    def classes(self) -> ClassTable:
        """Class table of the masks."""
        return self._info.classes

    @property
    def device(self) -> str:
        """Where the network runs, for example ``cpu`` or ``cuda:0``."""
        return self._any_backend.device

    @property
    def runtime(self) -> str:
        """What runs the network: ``onnxruntime``, ``openvino`` or ``torch``."""
        return self._any_backend.runtime

    def warm_up(self) -> None:
        """Run once on what lies in the input memory: runtimes allocate in their first run."""
        with self._lock:
            for backend in (self._network, self._camera):
                if backend is not None:
                    backend.run()

    def predict(
        self, frame_bgr: NDArray[np.uint8], *, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Segment one frame.

        Args:
            frame_bgr: (H, W, 3) uint8, BGR as OpenCV cameras give it.
            out: (H, W) uint8 to write the mask into; None for new memory.

        Returns:
            (H, W) uint8, class ids; ``out`` where it was given.

        Raises:
            ValueError: The frame or ``out`` has another shape or type.
            DataError: The model was exported for frames of another size.
        """
        _check_frame(frame_bgr)
        return self._predict(frame_bgr, "bgr", out)

    def predict_rgb(
        self, frame_rgb: NDArray[np.uint8], *, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Segment one frame whose channels are in RGB order; else as :meth:`predict`."""
        _check_frame(frame_rgb)
        return self._predict(frame_rgb, "rgb", out)

    def predict_network_ids(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Segment one RGB frame at the network's own size, which is what training validates.

        Args:
            frame_rgb: (H, W, 3) uint8, RGB.

        Returns:
            (h, w) uint8, class ids at ``info.preprocess.size_hw``.

        Raises:
            ValueError: The frame has another shape or type.
            DataError: The model was exported for whole frames of another size.
        """
        _check_frame(frame_rgb)
        ids: NDArray[np.uint8] = self._network_ids([frame_rgb])[0]
        return ids

    def predict_batch(self, frames_bgr: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Segment several frames; on a GPU in one pass.

        Args:
            frames_bgr: (H, W, 3) uint8 each, BGR; they need not be of one size.

        Returns:
            One (H, W) uint8 mask per frame, at its size.

        Raises:
            ValueError, DataError: As for :meth:`predict`.
        """
        for frame in frames_bgr:
            _check_frame(frame)
        if self.runtime != "torch":
            return [self._predict(frame, "bgr", None) for frame in frames_bgr]
        if not frames_bgr:
            return []
        masks = self._network_ids([bgr_to_rgb(frame) for frame in frames_bgr])
        return [
            self._info.preprocess.restore_mask(mask, (frame.shape[0], frame.shape[1]))
            for mask, frame in zip(masks, frames_bgr, strict=True)
        ]

    @property
    def _any_backend(self) -> Backend:
        backend = self._network if self._network is not None else self._camera
        assert backend is not None
        return backend

    def _predict(
        self, frame: NDArray[np.uint8], order: _ColorOrder, out: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        frame_hw = (frame.shape[0], frame.shape[1])
        if out is None:
            out = np.empty(frame_hw, np.uint8)
        elif out.shape != frame_hw or out.dtype != np.uint8:
            raise ValueError(f"out is {out.shape} {out.dtype}, expected {frame_hw} uint8")
        with self._lock:
            backend = self._backend_for(frame_hw)
            if backend is not None:
                _write_frame(frame, order, backend)
                backend.run()
                np.copyto(out, backend.ids)
                return out
        rgb = bgr_to_rgb(frame) if order == "bgr" else frame
        mask = self._network_ids([rgb])[0]
        np.copyto(out, self._info.preprocess.restore_mask(mask, frame_hw))
        return out

    def _backend_for(self, frame_hw: tuple[int, int]) -> Backend | None:
        """Return the backend that takes whole frames of this size as they are."""
        if self._camera is not None and self._camera.frame_hw == frame_hw:
            return self._camera
        whole = self._info.preprocess.crop_box(frame_hw)[2:] == frame_hw
        fits = self._network is not None and self._network.frame_hw == frame_hw
        return self._network if whole and fits else None

    def _network_ids(self, frames_rgb: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        if self._network is None:
            assert self._camera is not None
            height, width = self._camera.frame_hw
            given = " or ".join(sorted({f"{f.shape[0]}x{f.shape[1]}" for f in frames_rgb}))
            raise DataError(
                f"{given} (h x w)",
                f"{self._info.path} was exported for frames of {height}x{width}; give the "
                "checkpoint, or export it with --size model",
            )
        contract = self._info.preprocess
        resized = np.stack([contract.resize_frame(frame) for frame in frames_rgb])
        if self._network.color_order == "bgr":
            resized = np.ascontiguousarray(resized[..., ::-1])
        with self._lock:
            return self._network.class_ids(resized)


def _runtime(asked: Runtime | None) -> Runtime:
    name = asked or os.environ.get("WRISTSEG_RUNTIME") or "auto"
    if name not in get_args(Runtime):
        raise UsageError(f"runtime {name}: expected one of {', '.join(get_args(Runtime))}")
    return cast(Runtime, name)


def prefers_torch(device: str) -> bool:
    """Tell whether a checkpoint goes to a GPU, or to a device that only PyTorch can judge."""
    if device == "auto":
        if importlib.util.find_spec("torch") is None:
            return False
        return sys.platform == "darwin" or any(Path(name).exists() for name in _CUDA_DEVICES)
    return device != "cpu"


def _openvino_export(
    path: Path, runtime: Runtime, threads: int | None
) -> tuple[Backend, ModelInfo]:
    if runtime not in {"auto", "openvino"}:
        raise UsageError(f"{path} is for OpenVINO, not for --runtime {runtime}")
    from wristseg.openvino_file import read_sealed_ir

    try:
        from wristseg.predict.openvino_backend import OpenVinoBackend
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "openvino", "openvino") from error
    xml, weights, info = read_sealed_ir(path)
    return OpenVinoBackend((xml, weights), info, threads=threads), info


def _write_frame(frame: NDArray[np.uint8], order: _ColorOrder, backend: Backend) -> None:
    if order == backend.color_order:
        np.copyto(backend.frame, frame)
    else:  # swapping the outer channels is its own inverse
        cv2.cvtColor(frame, cv2.COLOR_BGR2RGB, dst=backend.frame)


def _check_frame(frame: NDArray[np.uint8]) -> None:
    if not isinstance(frame, np.ndarray):  # cv2.imread returns None for a file it cannot read
        raise ValueError(f"frame is {type(frame).__name__}, expected (H, W, 3) uint8")
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
        raise ValueError(
            f"frame is {frame.shape} {frame.dtype}, expected (H, W, 3) uint8 with values 0-255"
        )
