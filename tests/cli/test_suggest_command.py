"""``wristseg suggest``: exit codes, and what stands on which stream."""

from __future__ import annotations

import pytest

from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.predict.clips import cut, make_clip, with_moov_first
from wristseg.cli.main import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 32))


def run(capsys, *arguments):
    code = main([str(argument) for argument in ("suggest", *arguments, "--device", "cpu")])
    return code, *capsys.readouterr()


def test_frames_are_printed_in_order(capsys, checkpoint, tmp_path):
    clip, out = make_clip(tmp_path / "a.mp4"), tmp_path / "out"
    code, stdout, stderr = run(
        capsys, clip, "--checkpoint", checkpoint, "--count", 2, "--output", out
    )
    assert (code, stderr) == (0, "")
    assert f" frames of 4 in {out / 'images'}" in stdout
    assert "   1. a_frame_" in stdout


def test_f10_damaged_video_ends_with_4(capsys, checkpoint, tmp_path):
    clip = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), 0.6)
    code, _, stderr = run(capsys, clip, "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert code == 4
    assert "declares 40 frames" in stderr


def test_labelled_folder_that_is_not_there_ends_with_2(capsys, checkpoint, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=2)
    options = ("--labelled", tmp_path / "none", "--output", tmp_path / "out")
    assert run(capsys, clip, "--checkpoint", checkpoint, *options)[0] == 2
