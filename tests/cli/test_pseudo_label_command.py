"""``wristseg pseudo-label``: exit codes, and what stands on which stream."""

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
    options = ("--device", "cpu", "--confidence", "0.3", "--least-share", "0.01")
    code = main([str(argument) for argument in ("pseudo-label", *arguments, *options)])
    return code, *capsys.readouterr()


def test_counts_and_the_next_command_are_printed(capsys, checkpoint, tmp_path):
    clip, out = make_clip(tmp_path / "a.mp4"), tmp_path / "out"
    code, stdout, stderr = run(capsys, clip, "--checkpoint", checkpoint, "--output", out)
    assert (code, stderr) == (0, "")
    assert stdout.splitlines()[0] == f"4 frames with masks in {out}"
    assert f"--mix {out}" in stdout


def test_several_inputs_are_taken(capsys, checkpoint, tmp_path):
    clips = [make_clip(tmp_path / f"{name}.mp4", frames=1) for name in "ab"]
    code, stdout, _ = run(capsys, *clips, "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert code == 0
    assert stdout.startswith("2 frames")


def test_f10_partly_read_clip_ends_with_4_and_its_counts(capsys, checkpoint, tmp_path):
    clip = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), 0.6)
    code, stdout, stderr = run(
        capsys, clip, "--checkpoint", checkpoint, "--output", tmp_path / "out"
    )
    assert code == 4
    assert "declares 40 frames" in stderr
    assert "frames with masks" in stdout


def test_f10_unreadable_clip_ends_with_3_and_no_folder(capsys, checkpoint, tmp_path):
    (tmp_path / "a.mp4").write_text("text")
    code, stdout, stderr = run(
        capsys, tmp_path / "a.mp4", "--checkpoint", checkpoint, "--output", tmp_path / "out"
    )
    assert (code, stdout) == (3, "")
    assert "a.mp4" in stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inputs", [(), ("none/*.mp4",)])
def test_nothing_to_label_ends_with_2(capsys, checkpoint, tmp_path, inputs):
    code, _, stderr = run(capsys, *inputs, "--checkpoint", checkpoint, "--output", tmp_path / "out")
    assert code == 2
    assert "input" in stderr
