"""``wristseg frames``: exit codes, and what stands on which stream."""

from __future__ import annotations

import pytest

from tests.predict.clips import cut, make_clip, with_moov_first
from wristseg.cli.main import main


def run(capsys, *arguments):
    code = main(["frames", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_frames_per_video_are_printed(capsys, tmp_path):
    clip = make_clip(tmp_path / "a.mp4")
    code, stdout, stderr = run(capsys, clip, "--every", 5, "--output", tmp_path / "out")
    assert (code, stderr) == (0, "")
    assert stdout.splitlines()[:2] == [f"4 frames in {tmp_path / 'out' / 'images'}", f"  {clip}: 4"]


def test_f10_damaged_video_ends_with_4_and_the_reason(capsys, tmp_path):
    clip = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), 0.6)
    code, stdout, stderr = run(capsys, clip, "--pick", 3, "--output", tmp_path / "out")
    assert code == 4
    assert "frames in" in stdout
    assert "declares 40 frames" in stderr


@pytest.mark.parametrize("name", ["none.mp4", "text.mp4"])
def test_f10_unreadable_video_ends_with_3(capsys, tmp_path, name):
    (tmp_path / "text.mp4").write_text("text")
    code, stdout, stderr = run(capsys, tmp_path / name, "--output", tmp_path / "out")
    assert (code, stdout) == (3, "")
    assert name in stderr
    assert not (tmp_path / "out").exists()


def test_no_video_ends_with_2(capsys, tmp_path):
    assert run(capsys, tmp_path, "--output", tmp_path / "out")[0] == 2
