"""The camera that LeRobot reads: a view of a shared device, its picture or its mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from lerobot.cameras.camera import Camera
from lerobot.cameras.opencv import OpenCVCamera
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected
from numpy.typing import NDArray

from lerobot_camera_wristseg.capture import Pair, SharedCapture
from lerobot_camera_wristseg.configuration import WristsegCameraConfig
from wristseg.lerobot.mask_camera import grey_of_ids, grey_step

__all__ = ["WristsegCamera"]

_FIRST_MASK_MS = 10_000.0


class WristsegCamera(Camera):
    """A wrist camera's picture, or wristseg's mask of it, as LeRobot's ``Camera`` has it.

    Views of one device share one capture thread and one model. Within a turn of reading all
    views, picture and mask are of the same frame; ``last_pair`` says which.

    Args:
        config: What to open, and which view this is.
    """

    def __init__(self, config: WristsegCameraConfig) -> None:
        super().__init__(config)
        self.config = config
        self.last_pair: Pair | None = None
        self._capture: SharedCapture | None = None

    def __str__(self) -> str:
        return f"WristsegCamera({self.config.index_or_path}, {self.config.output})"

    @property
    def is_connected(self) -> bool:
        """Whether it was connected, and not disconnected since."""
        return self._capture is not None

    @check_if_already_connected
    def connect(self, warmup: bool = True) -> None:
        """Open the device, or join the other view that has it open, and wait for the first mask.

        Raises:
            ConnectionError: The device cannot be opened.
            ValueError: The device is open with other settings.
            TimeoutError: No frame was segmented within ten seconds.
        """
        capture = SharedCapture.join(self, self.config, warmup=warmup)
        try:
            first = capture.wait_for_first(timeout_ms=_FIRST_MASK_MS)
        except BaseException:
            capture.leave(self)
            raise
        self._capture = capture
        self.fps = capture.camera.fps
        self.height, self.width = first.rgb.shape[:2]

    @check_if_not_connected
    def read(self) -> NDArray[Any]:
        """Return the next picture or mask, waiting for it; see ``async_read``."""
        return self._shown(self._shared.next(self, timeout_ms=_FIRST_MASK_MS))

    @check_if_not_connected
    def async_read(self, timeout_ms: float = 200) -> NDArray[Any]:
        """Return the newest picture or mask that this view has not had, waiting if there is none.

        Returns:
            (H, W, 3) uint8, RGB; for a mask, grey levels of class ids, 40 apart for six classes.

        Raises:
            TimeoutError: None came in time.
            RuntimeError: The device gives no more frames.
        """
        return self._shown(self._shared.next(self, timeout_ms=timeout_ms))

    @check_if_not_connected
    def read_latest(self, max_age_ms: int = 500) -> NDArray[Any]:
        """Return the newest picture or mask at once; see ``async_read`` for its form.

        Raises:
            TimeoutError: It is of a frame longer ago than ``max_age_ms``.
            RuntimeError: The device gives no more frames.
        """
        return self._shown(self._shared.newest(self, max_age_ms=max_age_ms))

    def disconnect(self) -> None:
        """Leave the device; the last view closes it."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.leave(self)

    @staticmethod
    def find_cameras() -> list[dict[str, Any]]:
        """Return the devices that OpenCV finds, which are those that this camera can open."""
        found: list[dict[str, Any]] = OpenCVCamera.find_cameras()
        return found

    @property
    def _shared(self) -> SharedCapture:
        assert self._capture is not None
        return self._capture

    def _shown(self, pair: Pair) -> NDArray[np.uint8]:
        self.last_pair = pair
        if self.config.output == "rgb":
            return pair.rgb
        return grey_of_ids(pair.mask, grey_step(self._shared.num_classes))
