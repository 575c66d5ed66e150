"""From a mask of class ids to what a policy gets: cut, resize, map, lay out, stack.

In: (H, W) class ids, predicted or rendered, and the observation contract. Out: uint8 arrays. The
one way for the robot and for the simulator; called by ``policy.observation``, by the Gymnasium
wrappers and by ``wristseg obs-check``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import DataError
from wristseg.observation import ObservationContract
from wristseg.preprocess import PreprocessContract

__all__ = ["FrameStack", "MaskEncoder", "MaskObservation"]


class MaskEncoder:
    """Turns one mask into one frame of an observation.

    Args:
        contract: What the policy sees.
        classes: The masks' class table, which the contract's class map has to fit.

    Raises:
        DataError: The class map names other classes than the table.
    """

    def __init__(self, contract: ObservationContract, classes: ClassTable) -> None:
        problems = contract.problems_with(classes, model_crop="none")
        if problems:
            raise DataError("observation contract", problems)
        self.contract = contract
        self.classes = classes
        self._geometry = PreprocessContract(contract.size_hw, contract.crop)
        self._policy_ids = contract.policy_ids(classes)
        self._levels = contract.levels(classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one frame of the observation."""
        return self.contract.shape(self.classes)[1:]

    def cut(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the part of a mask that the policy sees: (H, W) to (H', W') uint8, class ids.

        Raises:
            ValueError: The mask has another shape or type, or ids of no class.
        """
        if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != np.uint8:
            what = f"{mask.shape} {mask.dtype}" if isinstance(mask, np.ndarray) else type(mask)
            raise ValueError(f"mask is {what}, expected (H, W) uint8 class ids")
        if mask.size == 0 or int(mask.max()) >= len(self.classes):
            highest = f"ids up to {mask.max()}" if mask.size else "no pixels"
            names = ", ".join(f"{i} {name}" for i, name in enumerate(self.classes.names))
            raise ValueError(f"mask has {highest}, expected {names}")
        top, left, height, width = self._geometry.crop_box((mask.shape[0], mask.shape[1]))
        return mask[top : top + height, left : left + width]

    def resize(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut and resize a mask with nearest: (H, W) to (h, w) uint8, the model's class ids.

        Raises:
            ValueError: As for :meth:`cut`.
        """
        self.cut(mask)
        return self._geometry.resize_mask(np.ascontiguousarray(mask))

    def resize_label(self, label: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut and resize a label, in which 255 may stand for pixels that count nowhere."""
        return self._geometry.resize_mask(np.ascontiguousarray(label))

    def map(self, resized: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn the model's class ids into the policy's: (h, w) uint8 to (h, w) uint8."""
        return np.asarray(self._policy_ids[resized])

    def lay_out(self, mapped: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn the policy's ids into channels: (h, w) uint8 to (C, h, w) uint8."""
        if self.contract.channels == "ids":
            return np.asarray(self._levels[mapped])[None]  # (1, h, w)
        ids = np.arange(len(self._levels), dtype=np.uint8)[:, None, None]
        on = np.uint8(self.contract.highest(self.classes))
        return np.asarray((mapped[None] == ids) * on)  # (K, h, w)

    def finish(self, resized: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map and lay out a mask that :meth:`resize` gave: (h, w) to (C, h, w) uint8."""
        return self.lay_out(self.map(resized))

    def __call__(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn (H, W) uint8 class ids of any size into (C, h, w) uint8.

        Raises:
            ValueError: As for :meth:`cut`.
        """
        return self.finish(self.resize(mask))


class FrameStack:
    """The last frames of an observation, oldest first.

    Args:
        length: Frames of one observation.

    >>> stack = FrameStack(3)
    >>> stack.reset(np.uint8([1])).ravel(), stack.step(np.uint8([2])).ravel()
    (array([1, 1, 1], dtype=uint8), array([1, 1, 2], dtype=uint8))
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._frames: NDArray[np.uint8] | None = None

    def reset(self, first: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Begin an episode; its first frame fills the stack: (C, h, w) to (stack, C, h, w)."""
        self._frames = np.repeat(first[None], self._length, axis=0)
        return self._frames.copy()

    def step(self, newest: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Add a frame at the end and drop the oldest; the result is memory of its own.

        Raises:
            RuntimeError: ``reset`` was not called before.
        """
        if self._frames is None:
            raise RuntimeError("step before reset: an episode begins with reset(first frame)")
        self._frames = np.concatenate([self._frames[1:], newest[None]])
        return self._frames.copy()


class MaskObservation:
    """Observations from masks that are known: a simulator's, or those of a recording.

    Args:
        contract: What the policy sees.
        classes: The masks' class table.

    Raises:
        DataError: The class map does not fit the table.
    """

    def __init__(self, contract: ObservationContract, classes: ClassTable) -> None:
        self.encoder = MaskEncoder(contract, classes)
        self._stack = FrameStack(contract.stack)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, height and width of an observation."""
        return self.encoder.contract.shape(self.encoder.classes)

    def reset(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Begin an episode: (H, W) uint8 class ids to (stack, C, h, w) uint8.

        Raises:
            ValueError: The mask has another shape or type, or ids of no class.
        """
        return self._stack.reset(self.encoder(mask))

    def step(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Go on with the next mask; else as :meth:`reset`."""
        return self._stack.step(self.encoder(mask))
