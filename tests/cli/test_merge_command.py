"""``wristseg merge``: exit codes, and what stands on which stream."""

from __future__ import annotations

import pytest

from tests.datasets import edit_coco, make_coco_dataset
from wristseg.cli.check import main as check
from wristseg.cli.main import main


@pytest.fixture
def two(tmp_path):
    names = ["new_frame_0001", "new_frame_0002"]
    return (
        make_coco_dataset(tmp_path / "a"),
        make_coco_dataset(tmp_path / "b", frames=2, names=names, seed=1),
    )


def run(capsys, *arguments):
    code = main(["merge", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_counts_are_printed_and_the_next_command_works(capsys, two, tmp_path):
    code, stdout, stderr = run(capsys, *two, "--output", tmp_path / "out")
    assert (code, stderr) == (0, "")
    assert stdout.startswith(f"8 frames in {tmp_path / 'out'}")
    assert check([str(tmp_path / "out"), "--output", str(tmp_path / "page.html")]) == 0


def test_differing_labels_end_with_3_and_prefer_last_with_0(capsys, two, tmp_path):
    other = make_coco_dataset(tmp_path / "c")
    edit_coco(other, lambda table: table["annotations"].pop(0))
    code, stdout, stderr = run(capsys, two[0], other, "--output", tmp_path / "out")
    assert (code, stdout) == (3, "")
    assert "labels that differ" in stderr
    assert not (tmp_path / "out").exists()
    assert run(capsys, two[0], other, "--prefer", "last", "--output", tmp_path / "out")[0] == 0


def test_one_data_set_ends_with_2(capsys, two, tmp_path):
    assert run(capsys, two[0], "--output", tmp_path / "out")[0] == 2


def test_folder_that_is_not_there_ends_with_2(capsys, two, tmp_path):
    code, _, stderr = run(capsys, two[0], tmp_path / "none", "--output", tmp_path / "out")
    assert (code, stderr) == (2, f"wristseg merge: {tmp_path / 'none'}: no such folder\n")


def test_messages_advise_no_option_that_merge_lacks(capsys, two, tmp_path):
    (tmp_path / "empty").mkdir()
    (two[1] / "annotations.json").write_text("{}")
    for folder in (tmp_path / "empty", two[1]):
        code, _, stderr = run(capsys, two[0], folder, "--output", tmp_path / "out")
        assert code == 3
        assert "COCO" in stderr
        assert "--annotations" not in stderr
