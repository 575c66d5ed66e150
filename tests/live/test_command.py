"""``wristseg live``: a clip stands in for the camera; report, recording, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.predict.clips import cut, make_clip, with_moov_first
from wristseg.cli.live import main
from wristseg.live import LiveLimits
from wristseg.predict import Segmenter, read_mask_video
from wristseg.predict.video import VideoReader

#: A period so long that no machine misses it: what is timed here is not under test.
_SLOW = ("--hz", "1", "--warm-up", "0", "--device", "cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 32))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=8, fps=10)


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_clip_is_played_to_its_end_and_leaves_report_and_recording(
    capsys, checkpoint, clip, tmp_path
):
    report, video = tmp_path / "live.json", tmp_path / "masks.mkv"
    code, stdout, _ = run(
        capsys, "--camera", clip, "--checkpoint", checkpoint, *_SLOW,
        "--report", report, "--record", video,
    )  # fmt: skip
    assert code == 0
    said = json.loads(report.read_text())
    figures = said["figures"]
    assert figures["statuses"]["ok"] == figures["ticks"] > 0
    assert set(figures["latency_ms"]) == {"capture", "wait", "infer", "post", "total"}
    assert figures["age_ms"]["p99"] >= figures["latency_ms"]["total"]["p50"] > 0
    assert said["camera_released"] is True
    assert said["filtered"] is False
    lines = [json.loads(line) for line in video.with_suffix(".jsonl").read_text().splitlines()]
    masks = list(read_mask_video(video))
    assert [line["video_frame"] for line in lines] == list(range(len(masks)))
    assert {line["status"] for line in lines} == {"ok"}
    assert stdout.splitlines()[:3] == [str(video), str(video.with_suffix(".jsonl")), str(report)]
    assert "p99" in stdout


def test_recorded_masks_are_those_of_the_frames_they_name(capsys, checkpoint, clip, tmp_path):
    video = tmp_path / "masks.mkv"
    run(capsys, "--camera", clip, "--checkpoint", checkpoint, *_SLOW, "--record", video)
    segmenter = Segmenter.load(checkpoint, device="cpu")
    with VideoReader(clip) as frames:
        expected = [segmenter.predict_rgb(frame.rgb) for frame in frames]
    lines = [json.loads(line) for line in video.with_suffix(".jsonl").read_text().splitlines()]
    for mask, line in zip(read_mask_video(video), lines, strict=True):
        np.testing.assert_array_equal(mask, expected[line["frame_id"]])


def test_loop_ends_after_so_many_ticks(capsys, checkpoint, clip, tmp_path):
    report = tmp_path / "live.json"
    code, _, _ = run(
        capsys, "--camera", clip, "--checkpoint", checkpoint, *_SLOW, "--loop",
        "--frames", "3", "--report", report, "--filter", "on",
    )  # fmt: skip
    assert code == 0
    said = json.loads(report.read_text())
    assert said["figures"]["ticks"] == 3
    assert said["filtered"] is True


def test_camera_that_fails_ends_with_4_and_leaves_a_whole_report(
    capsys, checkpoint, clip, tmp_path
):
    report, video = tmp_path / "live.json", tmp_path / "masks.mkv"
    # A clip at a tenth of the loop's rate is a camera that is much too slow.
    code, stdout, stderr = run(
        capsys, "--camera", clip, "--checkpoint", checkpoint, "--hz", "100", "--warm-up", "0",
        "--device", "cpu", "--report", report, "--record", video,
    )  # fmt: skip
    assert code == 4
    assert "no new mask" in stderr or "without a new mask" in stderr
    assert "Traceback" not in stderr
    figures = json.loads(report.read_text())["figures"]
    assert figures["statuses"]["ok"] < figures["ticks"] or figures["ticks"] <= 1
    assert len(list(read_mask_video(video))) >= 1
    assert str(report) in stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--camera", "/dev/video987", "--checkpoint", "CKPT"), 3, "camera /dev/video987: is not"),
        (("--camera", "missing.mp4", "--checkpoint", "CKPT"), 3, "missing.mp4: no such file"),
        (("--camera", "0", "--checkpoint", "missing.ckpt"), 3, "missing.ckpt: no such file"),
        (("--camera", "0", "--checkpoint", "CKPT", "--loop"), 2, "only a file can be played"),
        (("--checkpoint", "CKPT", "--record", "a.mp4"), 2, "--record a.mp4: expected a name"),
        (("--checkpoint", "CKPT", "--size", "640"), 2, "expected HEIGHTxWIDTH"),
        (("--checkpoint", "CKPT", "--hz", "0"), 2, "--hz 0: expected more than 0"),
        (("--checkpoint", "CKPT", "--stale-periods", "9"), 2, "the watchdog no earlier"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(capsys, checkpoint, arguments, code, said):
    given = [str(checkpoint) if argument == "CKPT" else argument for argument in arguments]
    found, _, stderr = run(capsys, *given, "--device", "cpu")
    assert found == code
    assert said in stderr
    assert len(stderr.strip().splitlines()) == 1


def outputs_of(*names):
    return [f"--{'record' if name.endswith('mkv') else 'report'}={name}" for name in names]


@pytest.mark.parametrize(
    ("made", "output", "said"),
    [
        ("a.mkv", "a.mkv", "a.mkv: is there already; choose another or --overwrite"),
        ("a.jsonl", "a.mkv", "a.jsonl: is there already"),
        ("a.json/", "a.json", "a.json: is a folder"),
        ("file", "file/a.json", "file is no folder that can be written to"),
        ("file", "file/b/a.mkv", "file is no folder that can be written to"),
    ],
)
def test_output_that_cannot_be_is_refused_before_the_camera_is_opened(
    capsys, tmp_path, made, output, said
):
    path = tmp_path / made
    path.mkdir() if made.endswith("/") else path.write_bytes(b"mine")
    arguments = ("--camera", "/dev/video987", "--checkpoint", "none.ckpt")
    code, _, stderr = run(capsys, *arguments, *outputs_of(str(tmp_path / output)))
    assert code == 2
    assert said in stderr
    assert path.is_dir() or path.read_bytes() == b"mine"


def test_clip_that_is_played_is_never_recorded_over(capsys, tmp_path):
    clip = make_clip(tmp_path / "a.mkv", frames=3, fps=10)
    before = clip.read_bytes()
    code, _, stderr = run(
        capsys, "--camera", clip, "--checkpoint", "none.ckpt", "--record", clip, "--overwrite"
    )
    assert code == 2
    assert "a.mkv: is read by this run" in stderr
    assert clip.read_bytes() == before


def test_damaged_clip_is_played_as_far_as_it_goes_and_ends_with_4(capsys, checkpoint, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=30, fps=10)
    with_moov_first(clip).replace(clip)
    cut(clip, 0.6)
    report = tmp_path / "live.json"
    code, stdout, stderr = run(
        capsys, "--camera", clip, "--checkpoint", checkpoint, *_SLOW, "--report", report
    )
    assert code == 4
    assert "a.mp4: " in stderr
    assert "declares" in stderr
    assert "Traceback" not in stderr
    assert str(report) in stdout


def test_ctrl_c_ends_with_130_and_a_whole_recording(checkpoint, clip, tmp_path):
    video, report = tmp_path / "masks.mkv", tmp_path / "live.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "wristseg", "live", "--camera", str(clip), "--loop",
         "--checkpoint", str(checkpoint), *_SLOW, "--record", str(video),
         "--report", str(report)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 200
    while not list(tmp_path.glob(".masks.*.tmp.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    time.sleep(1.0)  # a few masks
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 130, stderr
    assert len(list(read_mask_video(video))) >= 1
    assert json.loads(report.read_text())["figures"]["ticks"] >= 1
    assert str(report) in stdout
    assert not list(tmp_path.glob(".*"))


def test_defaults_of_the_command_are_those_of_the_program():
    from pathlib import Path

    from wristseg.live.config import LiveConfig

    config, limits = LiveConfig(Path("x.ckpt")), LiveLimits()
    assert config.stale_periods == limits.stale_periods
    assert config.watchdog_periods == limits.watchdog_periods
    assert config.freeze_frames == limits.freeze_frames
    assert config.on_fault == limits.on_fault
    assert config.reconnect == limits.reconnect_s
    assert not config.filtered
    assert LiveConfig(Path("x.ckpt"), rerun=True).filtered
