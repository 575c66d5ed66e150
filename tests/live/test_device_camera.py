"""Devices, with OpenCV's capture replaced: what the driver says is believed, not what was asked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from wristseg.errors import BadFrameError, CameraLostError, UsageError
from wristseg.live.device_camera import DeviceCamera

_NAMES = {
    cv2.CAP_PROP_FRAME_HEIGHT: "height",
    cv2.CAP_PROP_FRAME_WIDTH: "width",
    cv2.CAP_PROP_FPS: "fps",
}


class Driver:
    """A 480x640 camera at 30 frames per second that takes no other setting."""

    def __init__(self, *_opened):
        self.said = {"height": 480.0, "width": 640.0, "fps": 30.0}
        self.gives = True
        self.whole = True
        self.released = False
        Driver.last = self

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return True

    def set(self, _name, _value):
        return True

    def get(self, name):
        return self.said[_NAMES[name]]

    def grab(self):
        return self.gives

    def retrieve(self):
        return self.whole, np.ones((480, 640, 3), np.uint8) if self.whole else None

    def release(self):
        self.released = True


@pytest.fixture
def device(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Driver)
    path = tmp_path / "video0"
    path.touch()
    return path


def test_frames_and_rate_are_those_of_the_driver(device):
    camera = DeviceCamera(str(device), size_hw=(480, 640), fps=30.0)
    camera.open()
    assert camera.fps == 30.0
    assert camera.read().bgr.shape == (480, 640, 3)
    camera.release()
    assert Driver.last.released


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"size_hw": (720, 1280)}, "asked for 720x1280, gives 480x640"),
        ({"fps": 60.0}, "asked for 60 frames per second, gives 30"),
    ],
)
def test_driver_that_gives_something_else_is_refused_and_let_go(device, asked, message):
    with pytest.raises(UsageError, match=message):
        DeviceCamera(str(device), **asked).open()
    assert Driver.last.released


def test_device_that_is_not_there_says_so_and_names_those_that_are(tmp_path):
    with pytest.raises(CameraLostError, match=r"is not there; there (is none|are)"):
        DeviceCamera(str(tmp_path / "video9")).open()


def test_device_that_vanishes_is_lost_at_its_first_failed_read(device):
    camera = DeviceCamera(str(device))
    camera.open()
    Driver.last.gives = False
    device.unlink()
    with pytest.raises(CameraLostError, match="the device is gone"):
        camera.read()


def test_frame_that_cannot_be_decoded_is_bad_and_three_in_a_row_are_a_lost_camera(device):
    camera = DeviceCamera(str(device))
    camera.open()
    Driver.last.whole = False
    for _ in range(2):
        with pytest.raises(BadFrameError):
            camera.read()
    with pytest.raises(CameraLostError, match="3 reads in a row"):
        camera.read()
    Driver.last.whole = True
    camera.release()
    camera.open()
    camera.read()
