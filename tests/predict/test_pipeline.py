"""Reading and writing run beside the network: same files, same errors, nothing left behind."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from tests.predict.clips import frame_picture, make_clip
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.interruption import Terminated
from wristseg.predict import pipeline, read_mask_video
from wristseg.predict.outputs import Outputs
from wristseg.predict.pipeline import MediaPredictor, Results
from wristseg.predict.video import VideoReader, VideoWriter


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def of_brightness(frame_rgb):
    """Return a mask that a test can compute by itself."""
    return frame_rgb[..., 0] // 43


def model(predict_rgb=of_brightness):
    return SimpleNamespace(classes=DEFAULT_CLASSES, predict_rgb=predict_rgb)


@pytest.fixture(params=[1, 3], autouse=True)
def models_at_a_time(request, monkeypatch):
    """Run every test with one model and with several that work on different frames."""
    monkeypatch.setattr("tests.predict.test_pipeline.MODELS", request.param)


MODELS = 1


def predictor(segmenter, *, several=False, **options):
    results = Results(coco=None)
    options = {"alpha": 0.5, "save_mask": True, "origin": "test", **options}
    return MediaPredictor([segmenter] * MODELS, results, several=several, **options), results


def outputs(folder, *, overlay="o.mp4", mask="m.mkv"):
    return Outputs("a", folder / overlay, folder / mask)


def run_video(segmenter, clip, folder, **options):
    made, results = predictor(segmenter, **options)
    made.predict_video(clip, outputs(folder), begin=lambda _: lambda: None)
    return results


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def exact_clip(path, frames):
    return make_clip(path, frames=frames, codec="ffv1", pix_fmt="bgr0")


def test_masks_and_pictures_keep_the_order_of_the_frames(tmp_path):
    clip = exact_clip(tmp_path / "a.mkv", 60)

    def unsteady(frame_rgb):
        time.sleep(0.003 * (int(frame_rgb.sum()) % 3))
        return of_brightness(frame_rgb)

    results = run_video(model(unsteady), clip, tmp_path / "out")
    masks = list(read_mask_video(tmp_path / "out" / "m.mkv"))
    assert len(masks) == results.frames == 60
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, of_brightness(frame_picture(i)))
    with VideoReader(tmp_path / "out" / "o.mp4") as overlay:
        assert len(list(overlay)) == 60


def test_few_frames_live_at_a_time_however_long_the_video_is(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=600)
    frames, most = [], []

    def watch(frame_rgb):
        frames.append(weakref.ref(frame_rgb))
        most.append(sum(frame() is not None for frame in frames))
        return of_brightness(frame_rgb)

    run_video(model(watch), clip, tmp_path / "out")
    assert len(most) == 600
    # Two wait to be written, the model and the writer have one each; the loop begins with one.
    # With several models two frames per model are on their way too.
    assert max(most) <= 6 + 2 * MODELS


@pytest.mark.slow
def test_memory_stays_flat_over_a_long_clip(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=900, size_hw=(240, 320))
    peaks_kb = []

    def measure(frame_rgb):
        peaks_kb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return of_brightness(frame_rgb)

    run_video(model(measure), clip, tmp_path / "out")
    # 600 more frames of 230 kB would be 138 MB.
    assert peaks_kb[-1] - peaks_kb[300] < 10_000


ERRORS = [KeyboardInterrupt, Terminated, OSError(28, "No space left on device"), ValueError("odd")]


def fail_at(number, error, function):
    """Return the function, which raises at its n-th call."""
    calls = []

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) == number:
            raise error
        return function(*arguments, **options)

    return failing


def kind(error):
    return error if isinstance(error, type) else type(error)


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_error_of_the_model_leaves_no_file_and_no_thread(tmp_path, error):
    clip = make_clip(tmp_path / "a.mp4", frames=40)
    with pytest.raises(kind(error)):
        run_video(model(fail_at(20, error, of_brightness)), clip, tmp_path / "out")
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize("number", [1, 20, 40])
def test_error_of_the_encoder_leaves_no_file_and_no_thread(tmp_path, monkeypatch, number):
    clip = make_clip(tmp_path / "a.mp4", frames=40)
    failing = fail_at(number, OSError(28, "No space left on device"), VideoWriter.write)
    monkeypatch.setattr(VideoWriter, "write", failing)
    with pytest.raises(OSError, match="No space left"):
        run_video(model(), clip, tmp_path / "out", save_mask=False)
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize("number", [2, 20])
def test_error_while_decoding_leaves_no_file_and_no_thread(tmp_path, monkeypatch, number):
    clip = make_clip(tmp_path / "a.mp4", frames=40)
    failing = fail_at(number, MemoryError(), VideoReader._next_pts)
    monkeypatch.setattr(VideoReader, "_next_pts", failing)
    with pytest.raises(MemoryError):
        run_video(model(), clip, tmp_path / "out")
    assert files(tmp_path / "out") == []


def test_file_that_cannot_be_read_on_is_partial(tmp_path, monkeypatch):
    clip = make_clip(tmp_path / "a.mp4", frames=40)
    error = av.error.OSError(5, "Input/output error")
    demux = VideoReader._decoded_frames

    def broken(self):
        packets = self._container.demux(self._stream)
        monkeypatch.setattr(
            self,
            "_container",
            SimpleNamespace(demux=lambda _: _until(packets, 20, error), close=packets.close),
        )
        yield from demux(self)

    monkeypatch.setattr(VideoReader, "_decoded_frames", broken)
    results = run_video(model(), clip, tmp_path / "out")
    (problem,) = results.problems
    assert "cannot be read on: Input/output error" in problem
    assert 0 < results.frames < 40
    assert len(list(read_mask_video(tmp_path / "out" / "m.mkv"))) == results.frames


def _until(packets, number, error):
    for _ in range(number):
        yield next(packets)
    raise error


FULL_DISK = """
import resource, sys, threading
from pathlib import Path
from tests.predict.test_pipeline import model, run_video
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    run_video(model(), Path(sys.argv[1]), Path(sys.argv[2]))
except OSError as error:
    print(error.strerror, error.filename, threading.active_count())
"""


def test_f13_full_disk_is_told_with_the_file_and_nothing_is_left(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=200, size_hw=(240, 320))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(clip), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    assert done.stdout.startswith("File too large ")
    assert "/out/" in done.stdout
    assert done.stdout.endswith(" 1\n")
    assert files(tmp_path / "out") == []


@pytest.fixture
def pictures(tmp_path):
    jobs = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        Image.fromarray(frame_picture(i)).save(path)
        result = outputs(tmp_path / "out", overlay=f"{i}_o.png", mask=f"{i}_m.png")
        jobs.append((path, result))
    return jobs


def test_images_keep_their_order_and_bad_ones_their_place(tmp_path, pictures):
    pictures[2][0].write_bytes(b"")
    made, results = predictor(model(), several=True)
    assert len(list(made.predict_images(pictures))) == 6
    assert [path.name for path in results.written] == [
        name for i in (0, 1, 3, 4, 5) for name in (f"{i}_o.png", f"{i}_m.png")
    ]
    assert results.frames == 5
    (problem,) = results.problems
    assert "2.png" in problem


def test_only_image_that_is_bad_is_an_error(pictures):
    pictures[0][0].write_bytes(b"")
    made, _ = predictor(model())
    with pytest.raises(DataError, match=r"0\.png"):
        list(made.predict_images(pictures[:1]))


def test_error_while_images_are_written_stops_the_run(monkeypatch, pictures):
    def refuse(*_arguments):
        raise OSError(28, "No space left on device", "m.png")

    monkeypatch.setattr(pipeline, "write_mask", refuse)
    made, results = predictor(model(), several=True)
    with pytest.raises(OSError, match=r"No space left on device: 'm\.png'"):
        list(made.predict_images(pictures))
    assert results.frames == 0
