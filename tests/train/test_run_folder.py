"""One job per run folder, and earlier runs are kept."""

from __future__ import annotations

import json
import os

import pytest

from wristseg.errors import UsageError
from wristseg.train.run_folder import archive_earlier_run, hold_run_folder


def test_f32_a_second_job_is_refused_and_told_who_holds_the_folder(tmp_path):
    with hold_run_folder(tmp_path / "run"):
        named = rf"another training.*pid {os.getpid()} on .*--output-dir"
        with pytest.raises(UsageError, match=named), hold_run_folder(tmp_path / "run"):
            pytest.fail("two jobs hold one folder")
        owner = json.loads((tmp_path / "run/.lock.json").read_text())
        assert owner["pid"] == os.getpid()


def test_the_folder_is_free_again_after_the_job_even_if_it_failed(tmp_path):
    with pytest.raises(RuntimeError), hold_run_folder(tmp_path):
        raise RuntimeError
    with hold_run_folder(tmp_path):
        pass
    assert not (tmp_path / ".lock.json").exists()


def test_an_empty_folder_has_nothing_to_archive(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    assert archive_earlier_run(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_two_runs_of_one_second_get_two_archives(tmp_path):
    targets = []
    for number in range(3):
        (tmp_path / "best.ckpt").write_text(str(number))
        os.utime(tmp_path / "best.ckpt", (1_700_000_000, 1_700_000_000))
        targets.append(archive_earlier_run(tmp_path))
    assert targets[0].name == "2023-11-14T22-13-20Z"
    assert [(target / "best.ckpt").read_text() for target in targets] == ["0", "1", "2"]
