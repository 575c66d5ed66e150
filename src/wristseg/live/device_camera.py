"""A camera that is plugged in, read with OpenCV (V4L2 on Linux).

As LeRobot's OpenCV camera does, each property is read back after it was set, since a driver that
cannot give 640x480 silently gives something else
(https://github.com/huggingface/lerobot, cameras/opencv).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from wristseg.errors import UsageError
from wristseg.live.camera import BadFrameError, Camera, CameraFrame, CameraLostError

__all__ = ["DeviceCamera"]

#: So many reads without a frame, one after the other, and the camera is gone.
_MOST_FAILED_READS = 3


class DeviceCamera(Camera):
    """A device by number or path.

    Args:
        device: 0 for the first one, or ``/dev/video0``.
        fps: Frames per second to ask for; the driver's choice where not given.
        size_hw: Height and width to ask for; the driver's choice where not given.
    """

    def __init__(
        self,
        device: int | str,
        *,
        fps: float | None = None,
        size_hw: tuple[int, int] | None = None,
    ) -> None:
        self.name = f"camera {device}"
        self.fps = fps
        self._device = device
        self._asked_fps = fps
        self._asked_hw = size_hw
        self._failed_reads = 0
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Open the device and set it up.

        Raises:
            CameraLostError: It is not there, or another program has it.
            UsageError: It does not give frames of that size or rate.
        """
        if not self._is_there():
            raise CameraLostError(f"{self.name}: is not there; {_cameras_there()}")
        backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
        # What OpenCV writes to stderr about a device that does not open stands in the error below.
        loudness = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = cv2.VideoCapture(self._device, backend)
        cv2.utils.logging.setLogLevel(loudness)
        if not self._capture.isOpened():
            self.release()
            raise CameraLostError(f"{self.name}: does not open; does another program have it?")
        self._failed_reads = 0
        try:
            self._set_up(self._capture)
        except UsageError:
            self.release()
            raise

    def read(self) -> CameraFrame:
        """Wait for the next frame.

        Raises:
            BadFrameError: The driver gave none, or one that cannot be decoded.
            CameraLostError: It gave none several times, or the device is gone.
        """
        assert self._capture is not None
        grabbed = self._capture.grab()
        t_capture = time.monotonic()
        decoded, bgr = self._capture.retrieve() if grabbed else (False, None)
        if decoded and bgr is not None:
            self._failed_reads = 0
            return CameraFrame(np.asarray(bgr, np.uint8), t_capture)
        self._failed_reads += 1
        if not self._is_there():
            raise CameraLostError("the device is gone")
        if self._failed_reads >= _MOST_FAILED_READS:
            raise CameraLostError(f"{self._failed_reads} reads in a row gave no frame")
        raise BadFrameError("the driver gave no frame" if not grabbed else "frame is damaged")

    def release(self) -> None:
        """Close the device."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _set_up(self, capture: cv2.VideoCapture) -> None:
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if self._asked_hw is not None:
            height, width = self._asked_hw
            # Uncompressed, USB 2 has room for 640x480 at 30 frames per second and no more.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            given = self._property(cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
            if given != (height, width):
                raise UsageError(
                    f"{self.name}: asked for {height}x{width}, gives {given[0]:g}x{given[1]:g} "
                    "(h x w); ask for that, or see: v4l2-ctl --list-formats-ext"
                )
        if self._asked_fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self._asked_fps)
        (given_fps,) = self._property(cv2.CAP_PROP_FPS)
        if self._asked_fps is not None and abs(given_fps - self._asked_fps) > 0.5:
            raise UsageError(
                f"{self.name}: asked for {self._asked_fps:g} frames per second, gives {given_fps:g}"
            )
        self.fps = given_fps if given_fps > 0 else None

    def _property(self, *names: int) -> tuple[float, ...]:
        assert self._capture is not None
        return tuple(self._capture.get(name) for name in names)

    def _is_there(self) -> bool:
        if sys.platform != "linux":
            return True
        number_or_path = str(self._device)
        path = f"/dev/video{number_or_path}" if number_or_path.isdigit() else number_or_path
        return Path(path).exists()


def _cameras_there() -> str:
    found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
    return f"there are: {', '.join(found)}" if found else "there is none; is it plugged in?"
