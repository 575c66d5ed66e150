"""A video file in place of a camera: its frames come when a camera would have given them."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.errors import DataError
from wristseg.live.camera import Camera, CameraEndedError, CameraFrame
from wristseg.predict.video import TimedFrame, VideoReader

__all__ = ["FileCamera"]

#: Frames that are passed over in a row to catch up.
_MOST_SKIPPED = 10
#: Seconds since the first frame, and (H, W, 3) uint8 RGB.
_Timed = tuple[float, NDArray[np.uint8]]


class FileCamera(Camera):
    """Plays a video at its own rate, or at another.

    Frames are decoded ahead of their time. One that is ready more than a frame late is passed
    over, as a camera would not have waited either.

    Args:
        path: The video.
        fps: Frames per second; the times in the file where not given.
        loop: Begin again at the end.

    Raises:
        DataError: The file is no video.
    """

    waits = True
    fps: float

    def __init__(self, path: Path, *, fps: float | None = None, loop: bool = False) -> None:
        self.name = str(path)
        self._path = path
        self._given_fps = fps
        self._loop = loop
        self._stop = threading.Event()
        self._frames = self._timed_frames()
        self._first: _Timed | None = None
        self._began: float | None = None
        with VideoReader(path) as video:  # a file that is no video is found before the model loads
            self.fps = float(video.fps) if fps is None else fps

    def open(self) -> None:
        """Decode the first frame.

        Raises:
            DataError: There is none.
        """
        self._first = next(self._frames, None)
        if self._first is None:
            raise DataError(self.name, self.problems or "no frame can be decoded")
        height, width, _ = self._first[1].shape
        self.frame_hw = (height, width)

    def read(self) -> CameraFrame:
        """Wait until the next frame is due.

        Raises:
            CameraEndedError: The last frame was read, or reading was interrupted.
        """
        skipped = 0
        while (upcoming := self._upcoming()) is not None:
            due_s, rgb = upcoming
            if self._began is None:
                self._began = time.monotonic() - due_s
            due = self._began + due_s
            late_s = time.monotonic() - due
            if late_s > 1.0 / self.fps:
                if skipped < _MOST_SKIPPED:
                    skipped += 1
                    continue
                self._began += late_s  # this machine decodes slower than that: go on from here
            bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            return CameraFrame(bgr, time.monotonic(), skipped)
        raise CameraEndedError(f"{self.name}: played to its end")

    def release(self) -> None:
        """Close the file."""
        self._frames.close()

    def interrupt(self) -> None:
        """Let a ``read`` that waits for its frame's time end at once."""
        self._stop.set()

    def _upcoming(self) -> _Timed | None:
        first, self._first = self._first, None
        return first if first is not None else next(self._frames, None)

    def _timed_frames(self) -> Generator[_Timed]:
        """Yield frames and their times in seconds since the first, over all rounds."""
        begins_s, count = 0.0, 0
        while True:
            last_s = begins_s
            with VideoReader(self._path) as video:
                for frame in video:
                    last_s = self._time_s(frame, begins_s, count)
                    count += 1
                    yield last_s, frame.rgb
                self.problems = tuple(video.problems)
            if not self._loop or video.decoded == 0:
                return
            begins_s = last_s + 1.0 / self.fps

    def _time_s(self, frame: TimedFrame, begins_s: float, count: int) -> float:
        if self._given_fps is not None:
            return count / self._given_fps
        return begins_s + float(frame.pts * frame.time_base)
