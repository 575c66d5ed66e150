"""The model as a program uses it: a frame in, a mask of class ids out.

In: a checkpoint, then camera frames of any size. Out: masks at each frame's own size. Called by the
predict stage, by evaluation and by robot code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.preprocess import bgr_to_rgb

if TYPE_CHECKING:
    from wristseg.model_info import ModelInfo

__all__ = ["Backend", "Segmenter"]


class Backend(Protocol):
    """Runs the network; one implementation per runtime."""

    device: str

    def class_ids(self, batch: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Turn (N, h, w, 3) float32, standardised RGB, into (N, h, w) uint8 class ids."""


class Segmenter:
    """A trained mask model.

    Args:
        backend: Runs the network.
        info: What the model's file says: classes, preprocessing, origin.
    """

    def __init__(self, backend: Backend, info: ModelInfo) -> None:
        self._backend = backend
        self._info = info

    @classmethod
    def load(cls, path: Path | str, *, device: str = "auto") -> Self:
        """Read a checkpoint.

        Args:
            path: A ``.ckpt`` of ``wristseg train`` or of the plain Lightning script.
            device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for the first there is of
                cuda, mps and cpu.

        Raises:
            CheckpointError: The file is damaged, unsafe, or of another network.
            UsageError: This machine has no such device.
        """
        from wristseg.predict.torch_backend import load_torch_backend

        return cls(*load_torch_backend(Path(path), device=device))

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
        return self._backend.device

    def predict(self, frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Segment one frame.

        Args:
            frame_bgr: (H, W, 3) uint8, BGR as OpenCV cameras give it.

        Returns:
            (H, W) uint8, class ids.

        Raises:
            ValueError: The frame has another shape or type.
        """
        return self.predict_batch([frame_bgr])[0]

    def predict_rgb(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Segment one frame whose channels are in RGB order; else as :meth:`predict`."""
        _check_frame(frame_rgb)
        return self._predict_rgb([frame_rgb])[0]

    def predict_network_ids(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Segment one RGB frame at the network's own size, which is what training validates.

        Args:
            frame_rgb: (H, W, 3) uint8, RGB.

        Returns:
            (h, w) uint8, class ids at ``info.preprocess.size_hw``.

        Raises:
            ValueError: The frame has another shape or type.
        """
        _check_frame(frame_rgb)
        ids: NDArray[np.uint8] = self._network_ids([frame_rgb])[0]
        return ids

    def predict_batch(self, frames_bgr: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Segment several frames in one pass of the network.

        Args:
            frames_bgr: (H, W, 3) uint8 each, BGR; they need not be of one size.

        Returns:
            One (H, W) uint8 mask per frame, at its size.

        Raises:
            ValueError: A frame has another shape or type.
        """
        for frame in frames_bgr:
            _check_frame(frame)
        return self._predict_rgb([bgr_to_rgb(frame) for frame in frames_bgr])

    def _predict_rgb(self, frames_rgb: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        if not frames_rgb:
            return []
        return [
            self._info.preprocess.restore_mask(mask, (frame.shape[0], frame.shape[1]))
            for mask, frame in zip(self._network_ids(frames_rgb), frames_rgb, strict=True)
        ]

    def _network_ids(self, frames_rgb: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        contract = self._info.preprocess
        resized = np.stack([contract.resize_frame(frame) for frame in frames_rgb])
        return self._backend.class_ids(contract.normalize(resized))


def _check_frame(frame: NDArray[np.uint8]) -> None:
    if not isinstance(frame, np.ndarray):  # cv2.imread returns None for a file it cannot read
        raise ValueError(f"frame is {type(frame).__name__}, expected (H, W, 3) uint8")
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
        raise ValueError(
            f"frame is {frame.shape} {frame.dtype}, expected (H, W, 3) uint8 with values 0-255"
        )
