"""``wristseg predict``: exit codes, and what stands on which stream."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.predict.clips import cut, frame_picture, make_clip, with_moov_first
from wristseg.cli.predict import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 32))


def run(capsys, *arguments):
    code = main([str(argument) for argument in (*arguments, "--device", "cpu")])
    return code, *capsys.readouterr()


@pytest.fixture
def picture(tmp_path):
    Image.fromarray(frame_picture(0)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_files_written_are_printed_and_the_code_is_0(capsys, checkpoint, picture, tmp_path):
    out = tmp_path / "out"
    code, stdout, _ = run(
        capsys, "--checkpoint", checkpoint, "--input", picture, "--output", out, "--save-mask"
    )
    assert code == 0
    assert stdout.splitlines()[:2] == [str(out / "a_overlay.png"), str(out / "a_mask.png")]
    assert "1 frames" in stdout


def test_options_of_existing_scripts_are_understood(capsys, checkpoint, picture, tmp_path):
    code, _, _ = run(
        capsys,
        *("--checkpoint", checkpoint, "--input", picture, "--output", tmp_path / "x.png"),
        *("--alpha", "0.7", "--save-mask"),
    )
    assert code == 0
    assert (tmp_path / "x_mask.png").is_file()


def test_f10_partly_decoded_video_ends_with_4_and_its_counts(capsys, checkpoint, tmp_path):
    clip = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), 0.6)
    code, stdout, stderr = run(
        capsys, "--checkpoint", checkpoint, "--input", clip, "--output", tmp_path / "out"
    )
    assert code == 4
    assert "declares 40 frames" in stderr
    assert "overlay.mp4" in stdout


@pytest.mark.parametrize("name", ["none.mp4", "text.mp4", "text.png"])
def test_f10_unreadable_input_ends_with_3(capsys, checkpoint, tmp_path, name):
    if name.startswith("text"):
        (tmp_path / name).write_text("text")
    code, stdout, stderr = run(
        capsys, "--checkpoint", checkpoint, "--input", tmp_path / name, "--output", tmp_path / "o"
    )
    assert (code, stdout) == (3, "")
    assert name in stderr
    assert "Traceback" not in stderr


def test_nothing_found_ends_with_2(capsys, checkpoint, tmp_path):
    code, _, stderr = run(capsys, "--checkpoint", checkpoint, "--input", f"{tmp_path}/*.jpg")
    assert code == 2
    assert "no image or video matches" in stderr


@pytest.mark.parametrize("checkpoint_name", ["none.ckpt", "https://example.com/best.ckpt"])
def test_f20_checkpoint_that_is_no_file_ends_with_3(capsys, picture, tmp_path, checkpoint_name):
    code, _, stderr = run(
        capsys, "--checkpoint", checkpoint_name, "--input", picture, "--output", tmp_path / "out"
    )
    assert code == 3
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_f17_signal_ends_a_video_with_its_code_and_no_half_file(
    checkpoint, tmp_path, number, code, word
):
    clip = make_clip(tmp_path / "a.mp4", frames=3000)
    out = tmp_path / "out"
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "wristseg", "predict", "--device", "cpu", "--save-mask"),
            *("--checkpoint", checkpoint, "--input", clip, "--output", out),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 200
    while not list(out.glob(".a_overlay*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    child.send_signal(number)
    _, stderr = child.communicate(timeout=30)
    assert child.returncode == code, stderr
    assert word in stderr
    assert "Traceback" not in stderr
    assert list(out.iterdir()) == []
