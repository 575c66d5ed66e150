"""A file is played as if it were filmed now."""

from __future__ import annotations

import time

import pytest

from tests.predict.clips import make_clip
from wristseg.errors import CameraEndedError, DataError, UsageError
from wristseg.live.cameras import open_camera
from wristseg.live.file_camera import FileCamera


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=12, fps=30)


def read_all(camera, *, most=1000):
    frames = []
    camera.open()
    try:
        while len(frames) < most:
            frames.append(camera.read())
    except CameraEndedError:
        pass
    finally:
        camera.release()
    return frames


def test_frames_come_no_sooner_than_in_the_recording(clip):
    began = time.monotonic()
    frames = read_all(FileCamera(clip))
    assert time.monotonic() - began >= 11 / 30
    steps = [later.t_capture - frames[0].t_capture for later in frames]
    shown = iter(range(12))
    for frame, step in zip(frames, steps, strict=True):
        number = next(shown)
        for _ in range(frame.skipped):
            number = next(shown)
        # The first frame sets the clock; each other is due that long after it.
        assert step >= number / 30 - 0.005
    assert len(frames) + sum(frame.skipped for frame in frames) <= 12


def test_rate_that_is_given_replaces_that_of_the_file(clip):
    began = time.monotonic()
    read_all(FileCamera(clip, fps=300.0))
    fast = time.monotonic() - began
    assert FileCamera(clip, fps=300.0).fps == 300.0
    began = time.monotonic()
    read_all(FileCamera(clip, fps=10.0))
    assert time.monotonic() - began >= 1.1
    assert fast < 1.1


def test_late_reader_misses_frames_as_it_would_a_cameras(clip):
    camera = FileCamera(clip, fps=30.0)
    camera.open()
    camera.read()
    time.sleep(0.2)
    assert camera.read().skipped >= 4
    camera.release()


def test_looped_file_goes_on_after_its_end(clip):
    camera = FileCamera(clip, fps=60.0, loop=True)
    frames = read_all(camera, most=20)
    assert len(frames) == 20


def test_file_that_cannot_be_decoded_at_its_rate_goes_on_at_a_lower_one(clip):
    camera = FileCamera(clip, fps=1000.0, loop=True)
    frames = read_all(camera, most=3)
    assert all(frame.skipped <= 10 for frame in frames)


def test_reading_is_interrupted_at_once(clip):
    camera = FileCamera(clip, fps=0.01)
    camera.open()
    camera.read()
    camera.interrupt()
    with pytest.raises(CameraEndedError):
        camera.read()
    camera.release()


def test_size_is_known_before_the_first_frame_is_read(clip):
    camera = FileCamera(clip)
    camera.open()
    assert camera.frame_hw == (48, 64)
    camera.release()


def test_text_says_which_kind_of_camera_it_is(clip):
    assert type(open_camera(0)).__name__ == "DeviceCamera"
    assert type(open_camera("/dev/video7")).__name__ == "DeviceCamera"
    assert type(open_camera("rtsp://host/x")).__name__ == "StreamCamera"
    assert type(open_camera(str(clip))).__name__ == "FileCamera"


@pytest.mark.parametrize(
    ("camera", "options", "message"),
    [
        ("0", {"loop": True}, "only a file can be played again"),
        ("http://host/x", {"fps": 30.0}, "comes at its own rate"),
        ("http://host/x", {"size_hw": (480, 640)}, "only a device can be asked"),
        ("ftp://host/x", {}, "are read over http"),
        ("0", {"fps": 0.0}, "expected above 0"),
    ],
)
def test_options_that_do_not_suit_a_camera_are_refused(camera, options, message):
    with pytest.raises(UsageError, match=message):
        open_camera(camera, **options)


def test_file_that_is_no_video_is_refused_before_anything_is_loaded(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(DataError, match="no video that can be opened"):
        open_camera(str(tmp_path / "a.mp4"))
    with pytest.raises(DataError, match="no such file"):
        open_camera(str(tmp_path / "b.mp4"))
