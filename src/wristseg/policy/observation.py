"""The policy's eyes on the robot: camera frames in, observations out.

In: a model file, whose observation contract is followed, and camera frames. Out: arrays of exactly
the shape, range and order that the policy was trained on. Called by robot code, by the Gymnasium
wrappers and by ``wristseg obs-check``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.observation import ObservationContract
from wristseg.policy.encoder import FrameStack, MaskEncoder
from wristseg.predict import Segmenter
from wristseg.predict.runtimes import Runtime

__all__ = ["PolicyObservation"]


class PolicyObservation:
    """Turns camera frames into what the policy gets.

    Args:
        segmenter: The model.
        contract: What the policy sees; the model file's where not given.

    Raises:
        CheckpointError: The contract does not fit the model.

    Example:
        observation = PolicyObservation.load("best.ckpt", frame_hw=(480, 640), color_order="bgr")
        seen = observation.reset(first_frame)  # (3, 1, 84, 84) uint8
        while running:
            seen = observation.step(next_frame)
    """

    def __init__(
        self, segmenter: Segmenter, *, contract: ObservationContract | None = None
    ) -> None:
        if contract is None:
            contract = segmenter.info.observation_contract
        segmenter.info.check_observation(contract)
        self.segmenter = segmenter
        self.encoder = MaskEncoder(contract, segmenter.classes)
        self._stack = FrameStack(contract.stack)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        contract: ObservationContract | None = None,
        color_order: Literal["rgb", "bgr"] | None = None,
        device: str = "auto",
        runtime: Runtime | None = None,
        threads: int | None = None,
        frame_hw: tuple[int, int] | None = None,
    ) -> Self:
        """Read a model file and its contract.

        Args:
            path: As for ``Segmenter.load``: a checkpoint, an export, or ``sim-84``.
            contract: What the policy sees, instead of what the file says.
            color_order: Order of this camera's channels, where it is another than the contract's:
                ``bgr`` for OpenCV's cameras.
            device: As for ``Segmenter.load``.
            runtime: As for ``Segmenter.load``.
            threads: As for ``Segmenter.load``.
            frame_hw: Height and width of the camera's frames, if they are known.

        Raises:
            CheckpointError: The file is bad, or the contract does not fit the model.
            UsageError, MissingExtraError: As for ``Segmenter.load``.
        """
        segmenter = Segmenter.load(
            path, device=device, runtime=runtime, threads=threads, frame_hw=frame_hw
        )
        contract = contract or segmenter.info.observation_contract
        if color_order is not None:
            contract = replace(contract, color_order=color_order)
        return cls(segmenter, contract=contract)

    @property
    def contract(self) -> ObservationContract:
        """What the policy sees."""
        return self.encoder.contract

    @property
    def classes(self) -> ClassTable:
        """The model's class table."""
        return self.encoder.classes

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, height and width of an observation."""
        return self.contract.shape(self.classes)

    def reset(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Begin an episode with its first frame, which fills the stack.

        Args:
            frame: (H, W, 3) uint8, 0-255, channels in the contract's ``color_order``.

        Returns:
            (stack, C, h, w) uint8, oldest first, in memory of its own.

        Raises:
            ValueError: The frame has another shape or type.
            DataError: The model was exported for frames of another size.
        """
        return self._stack.reset(self.encoder(self.mask(frame)))

    def step(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Go on with the next frame; else as :meth:`reset`.

        Raises:
            RuntimeError: ``reset`` was not called before.
        """
        return self._stack.step(self.encoder(self.mask(frame)))

    def mask(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the model's class ids at the frame's size, before the contract: (H, W) uint8.

        Raises:
            ValueError, DataError: As for :meth:`reset`.
        """
        if isinstance(frame, np.ndarray) and frame.dtype.kind == "f":
            raise ValueError(
                f"frame is {frame.dtype}, expected (H, W, 3) uint8 of 0-255: hand it in as the "
                "camera gives it, not divided by 255"
            )
        if self.contract.color_order == "bgr":
            return self.segmenter.predict(frame)
        return self.segmenter.predict_rgb(frame)
