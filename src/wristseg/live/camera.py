"""What the live loop asks of a camera, whatever it is: a device, a stream, a file, a fake.

A camera is opened, read and released by one thread, which may wait in ``read`` for as long as the
driver does; nobody else waits for that thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import BadFrameError, CameraEndedError, CameraLostError

__all__ = ["BadFrameError", "Camera", "CameraEndedError", "CameraFrame", "CameraLostError"]


@dataclass(frozen=True)
class CameraFrame:
    """A frame as it came.

    Attributes:
        bgr: (H, W, 3) uint8, BGR; memory that the camera does not write to again.
        t_capture: When the camera had it, seconds of ``time.monotonic``, before it was decoded.
        skipped: Frames that the camera passed over before this one.
    """

    bgr: NDArray[np.uint8]
    t_capture: float
    skipped: int = 0


class Camera(ABC):
    """A source of frames.

    Attributes:
        name: What to call it in messages; without passwords.
        fps: Frames per second that it says it gives; None where it does not say.
        frame_hw: Height and width of its frames once it is open, where that is known before the
            first; it must be if ``waits``.
        waits: It is a recording, whose first frame comes when somebody asks for it.
        problems: What is wrong with a recording, known once it was played to its end.
    """

    name: str
    fps: float | None = None
    frame_hw: tuple[int, int] | None = None
    waits: bool = False
    problems: tuple[str, ...] = ()

    @abstractmethod
    def open(self) -> None:
        """Open it, or open it again after it was lost.

        Raises:
            CameraLostError: It is not there, or does not open.
            UsageError: It cannot do what is asked of it.
        """

    @abstractmethod
    def read(self) -> CameraFrame:
        """Wait for the next frame.

        Raises:
            BadFrameError: There was one, but it is damaged; the next may be whole.
            CameraLostError: There will be no more before it is opened again.
            CameraEndedError: It was a recording, and this is its end.
        """

    @abstractmethod
    def release(self) -> None:
        """Let go of it; may be called twice."""

    def interrupt(self) -> None:  # noqa: B027 - most cameras cannot be
        """Let a ``read`` that waits in another thread return soon, where that is possible."""
