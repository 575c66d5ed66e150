"""A camera that fails on demand, and a model that takes as long as it is told to."""

from __future__ import annotations

import math

import numpy as np

from tests.live.virtual_clock import VirtualClock
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import BadFrameError, CameraEndedError, CameraLostError
from wristseg.live import Camera, CameraFrame

__all__ = ["FakeCamera", "FakeModel"]

_NOISE = np.random.default_rng(0).integers(40, 200, (32, 24, 32, 3), np.uint8)


class FakeCamera(Camera):
    """Gives a frame of ``pictures`` ``[n,h,w,3]`` uint8 per period; ``mode`` changes what it does.

    Modes: good, frozen, hang, unplugged, resized, slow, black, grey, cut, none, damaged, ended,
    broken.
    """

    name = "fake camera"

    def __init__(
        self,
        clock: VirtualClock,
        *,
        fps: float = 30.0,
        mode: str = "good",
        pictures: np.ndarray = _NOISE,
    ) -> None:
        self.fps = fps
        self.mode = mode
        self.slow_periods = 4.0
        self.opened = self.released = self.reads = 0
        self._pictures = pictures
        self._clock = clock
        self._next = -math.inf
        self._frozen: np.ndarray | None = None

    @property
    def is_open(self) -> bool:
        return self.opened > self.released

    def switch(self, mode: str) -> None:
        with self._clock.condition:
            self.mode = mode
            self._clock.wake()

    def open(self) -> None:
        if self.mode == "unplugged":
            raise CameraLostError("no such device")
        self.opened += 1

    def read(self) -> CameraFrame:
        with self._clock.condition:
            self._wait_for_frame()
            while self.mode == "hang":
                self._clock.wait(math.inf)
            return CameraFrame(self._picture(), self._clock.now())

    def release(self) -> None:
        self.released = self.opened

    def _wait_for_frame(self) -> None:
        if self.mode == "unplugged":
            raise CameraLostError("the device is gone")
        now = self._clock.now()
        periods = self.slow_periods if self.mode == "slow" else 1.0
        self._next = max(self._next + periods / self.fps, now)
        mode = self.mode
        while self._clock.now() < self._next and self.mode == mode:
            self._clock.wait(self._next)
        if self.mode == "unplugged":
            raise CameraLostError("the device is gone")

    def _picture(self) -> np.ndarray:
        self.reads += 1
        picture = self._pictures[self.reads % len(self._pictures)].copy()  # as a driver gives them
        if self.mode == "frozen":
            if self._frozen is None:
                self._frozen = picture
            return self._frozen.copy()
        self._frozen = None
        height, width, _ = picture.shape
        match self.mode:
            case "resized":
                return np.ascontiguousarray(picture[:, : width // 2])
            case "black":
                return picture // 20
            case "grey":
                return np.full_like(picture, 128)
            case "cut":
                cut = picture.copy()
                cut[height // 2 :] = 128
                return cut
            case "none":
                return None  # as OpenCV does
            case "damaged":
                raise BadFrameError("frame cannot be decoded")
            case "ended":
                raise CameraEndedError("over")
            case "broken":
                raise ZeroDivisionError("a bug in a driver's binding")
        return picture


class FakeModel:
    """Class ids from the red of each pixel, after ``infer_s`` seconds."""

    classes = DEFAULT_CLASSES

    def __init__(self, clock: VirtualClock, *, infer_s: float = 0.004) -> None:
        self.infer_s = infer_s
        self.calls = 0
        self.fails: Exception | None = None
        self._clock = clock

    def predict(self, frame_bgr: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.infer_s > 0:
            self._clock.sleep(self.infer_s)
        if self.fails is not None:
            raise self.fails
        return expected_mask(frame_bgr)


def expected_mask(frame_bgr: np.ndarray) -> np.ndarray:
    return (frame_bgr[..., 2] % 6).astype(np.uint8)
