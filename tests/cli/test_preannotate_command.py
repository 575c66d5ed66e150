"""``wristseg preannotate``: exit codes, and what stands on which stream."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.predict.clips import frame_picture
from wristseg.cli.main import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 32))


def run(capsys, *arguments):
    code = main([str(argument) for argument in ("preannotate", *arguments, "--device", "cpu")])
    return code, *capsys.readouterr()


def test_files_to_import_are_printed(capsys, checkpoint, tmp_path):
    Image.fromarray(frame_picture(0)).save(tmp_path / "a.png")
    out = tmp_path / "out"
    code, stdout, stderr = run(
        capsys, tmp_path / "a.png", "--checkpoint", checkpoint, "--output", out
    )
    assert (code, stderr) == (0, "")
    lines = stdout.splitlines()
    assert lines[:2] == ["1 images with predictions", str(out / "instances_default.json")]


def test_unreadable_image_beside_a_good_one_ends_with_4(capsys, checkpoint, tmp_path):
    Image.fromarray(frame_picture(0)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("text")
    code, stdout, stderr = run(
        capsys, tmp_path, "--checkpoint", checkpoint, "--output", tmp_path / "out"
    )
    assert code == 4
    assert stdout.startswith("1 images")
    assert "b.png" in stderr


def test_checkpoint_that_is_none_ends_with_3(capsys, tmp_path):
    Image.fromarray(frame_picture(0)).save(tmp_path / "a.png")
    (tmp_path / "x.ckpt").write_text("text")
    code, stdout, _ = run(
        capsys,
        *(tmp_path / "a.png", "--checkpoint", tmp_path / "x.ckpt", "--output", tmp_path / "out"),
    )
    assert (code, stdout) == (3, "")
