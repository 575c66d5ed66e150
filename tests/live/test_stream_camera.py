"""A real MJPEG stream over HTTP on loopback."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.live.mjpeg_server import MjpegServer, gray_of
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import CameraLostError, UsageError
from wristseg.live import LiveSegmenter
from wristseg.live.limits import LiveLimits
from wristseg.live.stream_camera import StreamCamera, without_password


class RedModel:
    classes = DEFAULT_CLASSES

    def predict(self, frame_bgr):
        return (frame_bgr[..., 2] % 6).astype(np.uint8)


@pytest.fixture
def server():
    with MjpegServer() as running:
        yield running


def test_stream_over_http_is_segmented_as_it_comes_and_found_again_after_a_cut(server):
    # Periods of half a second: whether a busy machine keeps 20 Hz is not the question here.
    limits = LiveLimits(hz=2.0, on_fault="hold", reconnect_s=60.0, watchdog_periods=60.0)
    camera = StreamCamera(server.url)
    with LiveSegmenter(lambda _size_hw: RedModel(), camera, limits) as live:
        results = [live.latest() for _ in range(10)]
        numbers = [gray_of(result.frame_bgr) for result in results if result.ok]
        assert len(set(numbers)) > 1
        for result in results:
            np.testing.assert_array_equal(result.mask, result.frame_bgr[..., 2] % 6)
            assert result.mask.shape == (48, 64)
        server.stop()
        _wait_for("disconnected", live)
        server.start()
        _wait_for("ok", live)
        assert live.report()["frames"]["reconnects"] >= 1
    assert live.released


def test_cut_pictures_of_a_stream_are_bad_frames(server):
    limits = LiveLimits(hz=2.0, on_fault="hold", watchdog_periods=60.0)
    with LiveSegmenter(lambda _size_hw: RedModel(), StreamCamera(server.url), limits) as live:
        assert live.latest().ok
        server.cut_short = True
        _wait_for("bad_frame", live)
        server.cut_short = False
        _wait_for("ok", live)


def test_stream_that_nobody_serves_is_lost_and_its_password_is_not_told():
    with MjpegServer() as server:
        url = server.url
    with pytest.raises(
        CameraLostError, match=r"http://127\.0\.0\.1:\d+/stream.mjpg: cannot"
    ) as told:
        StreamCamera(url).open()
    assert "secret" not in str(told.value)


def test_address_of_a_kind_that_names_further_files_is_refused():
    with pytest.raises(UsageError, match="read over http, https, rtsp"):
        StreamCamera("file:///etc/passwd")


def test_password_and_query_are_left_out_of_names():
    assert without_password("rtsp://a:b@host/x?key=1") == "rtsp://host/x"


def _wait_for(status, live, *, seconds=60.0):
    until = time.monotonic() + seconds
    while (result := live.latest()).status != status:
        assert time.monotonic() < until, f"{result.status}: {result.problem}"
