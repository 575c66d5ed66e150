"""One device, one thread, one model: what the views of a wrist camera share.

Two programs, or two cameras of one program, cannot open one video device. So the first view that
connects opens it, later ones join, and the last one to leave closes it. A thread takes the newest
frame, segments it and publishes picture and mask together.

The views are read one after the other, while newer frames arrive. Whoever reads first in a turn
takes the newest pair and lays it aside for the other views: these get that pair, not a newer one.
So picture and mask of one observation are of one frame.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from lerobot.cameras.opencv import OpenCVCamera
from lerobot.utils.errors import DeviceNotConnectedError
from numpy.typing import NDArray

from lerobot_camera_wristseg.configuration import WristsegCameraConfig
from wristseg.predict import Segmenter

__all__ = ["Pair", "SharedCapture"]

#: The device may be slower than one frame; LeRobot's own cameras wait as long.
_DEVICE_TIMEOUT_MS = 10_000.0
_POLL_S = 0.5
#: A pair that was laid aside longer ago belongs to a turn in which its view was not read.
_ASIDE_S = 1.0


@dataclass(frozen=True)
class Pair:
    """A picture and its mask.

    Attributes:
        number: Counts the pairs of a device, from 1.
        rgb: (H, W, 3) uint8.
        mask: (H, W) uint8, class ids.
        captured_s: When the picture was taken, on the clock of ``time.perf_counter``.
    """

    number: int
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    captured_s: float


class SharedCapture:
    """A device that is open, and its newest pair; made by ``join``, closed by ``leave``."""

    _open: ClassVar[dict[str, SharedCapture]] = {}
    _open_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, config: WristsegCameraConfig) -> None:
        self._settings = config.shared()
        # The model first: nobody waits for weights with the device open.
        self._segmenter = Segmenter.load(config.checkpoint, device=config.device)
        self.camera = OpenCVCamera(config.opencv())
        self._news = threading.Condition()
        self._newest: Pair | None = None
        self._aside: dict[object, Pair] = {}
        self._laid_aside_s = 0.0
        self._taken: dict[object, int] = {}
        self._error: BaseException | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="wristseg-camera", daemon=True)

    @classmethod
    def join(cls, view: object, config: WristsegCameraConfig, *, warmup: bool) -> SharedCapture:
        """Open the device for the first of its views, or join those that have it open.

        Raises:
            ValueError: The device is open with other settings.
            ConnectionError: The device cannot be opened.
            WristsegError: The model cannot be used.
        """
        key = str(config.index_or_path)
        with cls._open_lock:
            known = cls._open.get(key)
            if known is None:
                known = cls(config)
                known.camera.connect(warmup)
                known._thread.start()
                cls._open[key] = known
            else:
                known._require_same(config)
            with known._news:
                known._taken[view] = 0
            return known

    def leave(self, view: object) -> None:
        """Take a view off; with the last one the device is closed."""
        with SharedCapture._open_lock:
            with self._news:
                self._taken.pop(view, None)
                self._aside.pop(view, None)
                last = not self._taken
            if last and not self._stopping:
                for key in [key for key, known in self._open.items() if known is self]:
                    del SharedCapture._open[key]
                self._close()

    @property
    def num_classes(self) -> int:
        """Classes of the model."""
        return len(self._segmenter.classes)

    def newest(self, view: object, *, max_age_ms: float) -> Pair:
        """Return the pair laid aside for a view, else the newest, without waiting.

        Raises:
            RuntimeError: There is no pair yet, or the thread has ended.
            TimeoutError: The pair is older than ``max_age_ms``.
        """
        with self._news:
            self._raise_if_ended()
            if self._newest is None:
                raise RuntimeError(f"{self.camera} has no mask yet; wait for connect() to end")
            self._drop_old(view)
            pair = self._take(view)
        age_ms = 1000 * (time.perf_counter() - pair.captured_s)
        if age_ms > max_age_ms:
            raise TimeoutError(
                f"{self.camera}: the newest mask is of a frame {age_ms:.0f} ms ago, at most "
                f"{max_age_ms} ms were asked for; a smaller model or image size is quicker"
            )
        return pair

    def next(self, view: object, *, timeout_ms: float) -> Pair:
        """Return the pair laid aside for a view, else one that it has not had, waiting for it.

        Raises:
            RuntimeError: The thread has ended.
            TimeoutError: None came in time.
        """
        until = time.perf_counter() + timeout_ms / 1000
        with self._news:
            self._drop_old(view)
            while view not in self._aside and self._number() <= self._taken[view]:
                self._wait(until)
            return self._take(view)

    def wait_for_first(self, *, timeout_ms: float) -> Pair:
        """Return the newest pair, waiting for the first, as if no view had read it.

        Raises:
            RuntimeError: The thread has ended.
            TimeoutError: None came in time.
        """
        until = time.perf_counter() + timeout_ms / 1000
        with self._news:
            while self._newest is None:
                self._wait(until)
            return self._newest

    def _wait(self, until: float) -> None:
        self._raise_if_ended()
        left = until - time.perf_counter()
        if left <= 0:
            raise TimeoutError(f"{self.camera}: no new mask came in time; is the model too slow?")
        self._news.wait(min(left, _POLL_S))

    def _drop_old(self, view: object) -> None:
        if view in self._aside and time.perf_counter() - self._laid_aside_s > _ASIDE_S:
            del self._aside[view]

    def _number(self) -> int:
        return 0 if self._newest is None else self._newest.number

    def _take(self, view: object) -> Pair:
        pair = self._aside.pop(view, None)
        if pair is None:
            assert self._newest is not None
            pair = self._newest
            others = [other for other in self._taken if other is not view]
            # A view that was not read since keeps no older pair: this turn's replaces it.
            self._aside = dict.fromkeys(others, pair)
            self._laid_aside_s = time.perf_counter()
        self._taken[view] = pair.number
        return pair

    def _run(self) -> None:
        try:
            last_s = -1.0
            while not self._stopping:
                self.camera.async_read(timeout_ms=_DEVICE_TIMEOUT_MS)
                with self.camera.frame_lock:
                    rgb, captured_s = self.camera.latest_frame, self.camera.latest_timestamp
                if rgb is None or captured_s is None or captured_s == last_s:
                    continue
                last_s = captured_s
                self._publish(rgb, self._segmenter.predict_rgb(rgb), captured_s)
        except BaseException as error:  # whoever reads has to hear of it
            self._error = error
        with self._news:
            self._news.notify_all()

    def _publish(self, rgb: NDArray[Any], mask: NDArray[np.uint8], captured_s: float) -> None:
        with self._news:
            self._newest = Pair(self._number() + 1, rgb, mask, captured_s)
            self._news.notify_all()

    def _raise_if_ended(self) -> None:
        if self._error is not None:
            raise RuntimeError(
                f"{self.camera} gives no more frames: {self._error}"
            ) from self._error
        if self._stopping:
            raise DeviceNotConnectedError(f"{self.camera} is closed")

    def _require_same(self, config: WristsegCameraConfig) -> None:
        asked = config.shared()
        differing = [name for name in asked if asked[name] != self._settings[name]]
        if differing:
            raise ValueError(
                f"{self.camera} is open already with another {', '.join(differing)}; give both "
                "views of a device the same settings, but for output"
            )

    def _close(self) -> None:
        self._stopping = True
        if self._thread.is_alive():
            self._thread.join(timeout=2 * _DEVICE_TIMEOUT_MS / 1000)
        if self.camera.is_connected:
            self.camera.disconnect()
