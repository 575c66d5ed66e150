"""The camera as LeRobot finds, builds and reads it: picture and mask are of one frame."""

from __future__ import annotations

import http.server
import threading
import time

import cv2
import draccus
import numpy as np
import pytest
from lerobot.cameras.configs import CameraConfig
from lerobot.cameras.utils import make_cameras_from_configs
from lerobot.utils.errors import DeviceNotConnectedError
from lerobot.utils.import_utils import register_third_party_plugins

from wristseg.classes import DEFAULT_CLASSES
from wristseg.lerobot.mask_camera import ids_of_grey

_HZ = 30
#: These tests are about which frames come, not how soon: a busy machine may take its time.
_PATIENCE_MS = 20_000


class Stream(http.server.BaseHTTPRequestHandler):
    """An MJPEG stream: frame n is grey of level 20 * (n % 12), so that it can be told."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while self.server.running:
            picture = np.full((48, 64, 3), 20 * (number % 12), np.uint8)
            body = cv2.imencode(".jpg", picture)[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + body + b"\r\n")
            except OSError:
                return
            number += 1
            time.sleep(1 / _HZ)

    def log_message(self, *_):
        pass


class LevelSegmenter:
    """Gives a frame's own level as its mask's ids, after as long as a model takes."""

    classes = DEFAULT_CLASSES

    def predict_rgb(self, frame_rgb):
        time.sleep(0.01)
        return np.full(frame_rgb.shape[:2], told(frame_rgb) % 6, np.uint8)


def told(picture):
    """The number, modulo 12, of the frame that a picture shows."""
    return round(float(picture.mean()) / 20)


@pytest.fixture
def stream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    server.daemon_threads, server.running = True, True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.running = False
    server.shutdown()
    server.server_close()


@pytest.fixture
def views(stream, monkeypatch):
    """The two views, built as robots build them: from a command line's settings by name."""
    register_third_party_plugins()
    from lerobot_camera_wristseg import capture

    monkeypatch.setattr(capture.Segmenter, "load", lambda *_, **__: LevelSegmenter())
    said = {"type": "wristseg", "index_or_path": 0, "checkpoint": "sim-84"}
    configs = {
        name: draccus.decode(CameraConfig, {**said, "output": output})
        for name, output in (("wrist", "rgb"), ("wrist_mask", "mask"))
    }
    for config in configs.values():
        config.index_or_path = f"http://127.0.0.1:{stream.server_address[1]}/"
    cameras = make_cameras_from_configs(configs)
    yield cameras
    for camera in cameras.values():
        camera.disconnect()


def test_lerobot_finds_the_type_by_the_name_of_the_distribution():
    register_third_party_plugins()
    assert "wristseg" in CameraConfig.get_known_choices()


def test_picture_and_mask_of_a_turn_are_of_one_frame_while_newer_ones_arrive(views):
    for camera in views.values():
        camera.connect()
    numbers = set()
    for turn in range(40):
        rgb = views["wrist"].read_latest(max_age_ms=_PATIENCE_MS)
        time.sleep(0.1 if turn % 3 == 0 else 0.0)  # newer frames arrive between the reads
        mask = views["wrist_mask"].read_latest(max_age_ms=_PATIENCE_MS)
        assert rgb.shape == mask.shape == (48, 64, 3)
        assert np.unique(ids_of_grey(mask, 40)).tolist() == [told(rgb) % 6]
        numbers.add(views["wrist"].last_pair.number)
        assert views["wrist_mask"].last_pair is views["wrist"].last_pair
        time.sleep(0.05)
    assert len(numbers) > 10


def test_async_read_waits_for_a_frame_that_was_not_had(views):
    for camera in views.values():
        camera.connect()
    numbers = []
    for _ in range(5):
        views["wrist"].async_read(timeout_ms=_PATIENCE_MS)
        numbers.append(views["wrist"].last_pair.number)
        views["wrist_mask"].async_read(timeout_ms=_PATIENCE_MS)
        assert views["wrist_mask"].last_pair is views["wrist"].last_pair
    assert numbers == sorted(set(numbers))


def test_device_is_open_once_and_closed_by_the_last_view(views):
    wrist, mask = views.values()
    wrist.connect()
    mask.connect()
    device = wrist._capture.camera
    assert mask._capture.camera is device
    wrist.disconnect()
    assert device.is_connected
    mask.read_latest(max_age_ms=_PATIENCE_MS)
    mask.disconnect()
    assert not device.is_connected
    with pytest.raises(DeviceNotConnectedError):
        mask.read_latest()


def test_views_of_one_device_with_other_settings_are_refused(views):
    wrist, mask = views.values()
    wrist.connect()
    mask.config.checkpoint = "sim-640"
    with pytest.raises(ValueError, match="open already with another checkpoint"):
        mask.connect()


def test_stream_that_stops_is_told_by_its_age(views, stream):
    wrist = views["wrist"]
    wrist.connect()
    stream.running = False
    time.sleep(0.4)
    with pytest.raises((TimeoutError, RuntimeError), match=r"ms ago|no more frames"):
        wrist.read_latest(max_age_ms=200)


def test_output_that_does_not_exist_is_refused():
    register_third_party_plugins()
    from lerobot_camera_wristseg import WristsegCameraConfig

    with pytest.raises(ValueError, match=r"output 'depth': expected one of rgb, mask"):
        WristsegCameraConfig(index_or_path=0, checkpoint="sim-84", output="depth")
