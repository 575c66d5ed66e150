"""Tell from the pixels alone that a camera's frame cannot be trusted.

In: frames in order. Out: what is wrong with each, if anything. Cameras fail silently: drivers
repeat the last buffer, a lens cap gives a good mask of nothing, and OpenCV fills what is missing
of a cut JPEG with grey. Called by the capture thread for every frame, so it looks at all pixels
only where a few are suspicious.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.live.result import Status

__all__ = ["FrameCheck"]

#: Every so many rows and columns are looked at first: 60x80 of 480x640 pixels.
_STEP = 8
#: Brighter than the noise of a covered sensor, darker than any lit table.
_BLACK_BELOW = 16
#: A sensor's noise alone gives more than this.
_FLAT_DEVIATION = 0.5
#: Part of the rows, from below, that has to be one colour for the frame to be cut off.
_CUT_SHARE = 1 / 8


class FrameCheck:
    """Judges frames one after another.

    Args:
        freeze_frames: So many equal frames in a row are a frozen camera; None for never.
    """

    def __init__(self, *, freeze_frames: int | None) -> None:
        self._freeze_frames = freeze_frames
        self._size_hw: tuple[int, ...] | None = None
        self._last: NDArray[np.uint8] | None = None
        self._equal = 1

    def judge(self, frame_bgr: NDArray[np.uint8]) -> tuple[Status, str] | None:
        """Return a status and a sentence about what is wrong, or None.

        Args:
            frame_bgr: (H, W, 3) uint8 if all is well; kept until the next call.
        """
        problem = self._wrong_shape(frame_bgr)
        if problem is not None:
            return "bad_frame", problem
        sample = np.ascontiguousarray(frame_bgr[::_STEP, ::_STEP])
        repeated = self._repeats(frame_bgr, sample)
        problem = _wrong_pixels(frame_bgr, sample)
        if problem is not None:
            return "bad_frame", problem
        if repeated:
            return "duplicate", f"{self._equal} frames in a row have the same bytes"
        return None

    def _wrong_shape(self, frame: NDArray[np.uint8]) -> str | None:
        if not isinstance(frame, np.ndarray):  # a driver's binding may give None
            return f"frame is {type(frame).__name__}, expected (H, W, 3) uint8"
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
            return f"frame is {frame.shape} {frame.dtype}, expected (H, W, 3) uint8"
        size_hw = frame.shape[:2]
        if self._size_hw is None:
            self._size_hw = size_hw
        if size_hw != self._size_hw:
            now, first = (f"{height}x{width}" for height, width in (size_hw, self._size_hw))
            return f"frame is {now}, the first one was {first} (h x w); restart for the new size"
        return None

    def _repeats(self, frame: NDArray[np.uint8], sample: NDArray[np.uint8]) -> bool:
        last, self._last = self._last, frame
        same = (
            last is not None
            and np.array_equal(sample, last[::_STEP, ::_STEP])
            and np.array_equal(frame, last)
        )
        self._equal = self._equal + 1 if same else 1
        return self._freeze_frames is not None and self._equal >= self._freeze_frames


def _wrong_pixels(frame: NDArray[np.uint8], sample: NDArray[np.uint8]) -> str | None:
    if int(sample.max()) < _BLACK_BELOW:
        return "frame is black; is the lens covered?"
    if float(cv2.meanStdDev(sample)[1].max()) <= _FLAT_DEVIATION:
        return f"frame is of one colour, BGR {_colour(sample)}"
    rows = max(1, int(sample.shape[0] * _CUT_SHARE))
    lowest = sample[-1, 0]
    # White tables and black gaps saturate a sensor to one value; nothing else in the world does.
    inside = lowest.min() > 0 and lowest.max() < 255
    if inside and (sample[-rows:] == lowest).all():
        below = frame[-rows * _STEP :]
        if (below == lowest).all():
            return f"frame is cut off: its lower part is one colour, BGR {_colour(sample)}"
    return None


def _colour(sample: NDArray[np.uint8]) -> str:
    return ",".join(str(int(value)) for value in sample[-1, 0])
