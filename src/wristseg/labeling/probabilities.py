"""A model that says how sure it is: softmax probabilities of frames, through PyTorch.

Exported models give class ids alone, so this takes checkpoints. Called by ``pseudo_label``,
``suggest`` and ``wristseg qa``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import sha256_of
from wristseg.classes import IGNORE_INDEX, ClassTable
from wristseg.errors import MissingExtraError, UsageError
from wristseg.labeling.inputs import InputFrame
from wristseg.packed_file import model_path
from wristseg.preprocess import PreprocessContract

if TYPE_CHECKING:
    from wristseg.model_info import ModelInfo
    from wristseg.predict.torch_backend import TorchBackend

__all__ = ["SureModel", "confident_mask"]

#: Frames per pass; four 640x480 frames take about half a gigabyte.
_BATCH = 4


class SureModel:
    """A checkpoint's network and what its file says.

    Args:
        path: A checkpoint, or the name of weights that ship in the package.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``.

    Raises:
        CheckpointError: The file is damaged, unsafe, or of another network.
        UsageError: It is an exported model, or this machine has no such device.
        MissingExtraError: PyTorch is not installed.
    """

    def __init__(self, path: Path, *, device: str) -> None:
        file = model_path(path)
        if file.suffix.lower() in {".onnx", ".xml"}:
            raise UsageError(
                f"--checkpoint {path}: an exported model gives no probabilities; give the "
                "checkpoint it was made from"
            )
        try:
            from wristseg.predict.torch_backend import load_torch_backend
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "torch", "export") from error
        self._backend: TorchBackend
        self.info: ModelInfo
        self._backend, self.info = load_torch_backend(file, device=device)
        self.sha256 = sha256_of(file)

    @property
    def classes(self) -> ClassTable:
        """Class table of the masks."""
        return self.info.classes

    @property
    def contract(self) -> PreprocessContract:
        """What happens to a frame before the network."""
        return self.info.preprocess

    def probabilities(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Say how sure the model is of each class: (H, W, 3) RGB to (C, h, w) at its own size."""
        resized = self.contract.resize_frame(frame_rgb)
        return np.asarray(self._backend.class_probabilities(np.stack([resized]))[0], np.float32)

    def each(
        self, frames: Iterable[InputFrame]
    ) -> Iterator[tuple[InputFrame, NDArray[np.float32]]]:
        """Yield each frame with its probabilities, (C, h, w) at the network's own size."""
        contract = self.info.preprocess
        rest = iter(frames)
        while batch := list(islice(rest, _BATCH)):
            resized = np.stack([contract.resize_frame(frame.rgb) for frame in batch])
            yield from zip(batch, self._backend.class_probabilities(resized), strict=True)

    def restored(self, ids: NDArray[np.uint8], frame_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Bring (h, w) ids of the network's size to the frame's; what a crop cut off is 0."""
        return self.info.preprocess.restore_mask(ids, frame_hw)


def confident_mask(
    model: SureModel,
    probabilities: NDArray[np.float32],
    frame_hw: tuple[int, int],
    *,
    confidence: float,
) -> NDArray[np.uint8]:
    """Return the classes that a model is sure of.

    Args:
        model: The model, for its preprocessing.
        probabilities: (C, h, w) float32 at the network's size.
        frame_hw: Height and width of the frame.
        confidence: Least probability, 0 to 1.

    Returns:
        (H, W) uint8, class ids from 1 on; 255 where the model is less sure, says class 0
        (nobody drew there, which is no class of a thing), or saw nothing because of its crop.
    """
    ids = probabilities.argmax(axis=0).astype(np.uint8)
    ids[probabilities.max(axis=0) < confidence] = 0
    mask = model.restored(ids, frame_hw).copy()
    mask[mask == 0] = IGNORE_INDEX
    return mask
