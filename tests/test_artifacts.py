"""Files appear whole or not at all, and know where they come from."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from wristseg.artifacts import (
    FileBatch,
    atomic_path,
    git_commit,
    replacing_folder,
    sha256_of,
    sweep_temporaries,
    versions,
    write_json,
    write_text,
)


def test_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "mask.png"
    path.write_bytes(b"old")
    with contextlib.suppress(RuntimeError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_folder_keeps_the_old_one_and_leaves_no_other(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old.txt").touch()
    with contextlib.suppress(RuntimeError), replacing_folder(folder) as temporary:
        (temporary / "half.txt").touch()
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [folder]


def test_complete_folder_takes_the_place_of_the_old_one(tmp_path):
    folder = tmp_path / "new" / "out"
    for name in ("a", "b"):
        with replacing_folder(folder) as temporary:
            (temporary / name).touch()
        assert [path.name for path in folder.iterdir()] == [name]
    assert list(folder.parent.iterdir()) == [folder]


def test_temporary_file_lies_in_the_target_folder_with_the_suffix(tmp_path):
    with atomic_path(tmp_path / "new" / "clip.mp4") as temporary:
        temporary.write_bytes(b"x")
        assert temporary.parent == tmp_path / "new"
        assert temporary.suffix == ".mp4"
    assert (tmp_path / "new" / "clip.mp4").read_bytes() == b"x"


@pytest.mark.parametrize("stem", ["a" * 250, "ü" * 125, "日本" * 41])
def test_a_file_may_have_the_longest_name_that_the_file_system_takes(tmp_path, stem):
    path = tmp_path / f"{stem}.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_what_a_killed_process_left_of_a_long_name_is_swept(tmp_path):
    path, other = tmp_path / ("a" * 250 + ".png"), tmp_path / ("b" * 250 + ".png")
    with atomic_path(path) as temporary:
        temporary.touch()
        command = [sys.executable, "-c", "import os; print(os.getpid())"]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        left = tmp_path / temporary.name.replace(f"-{os.getpid()}-", f"-{ended.stdout.strip()}-")
        left.touch()
    sweep_temporaries(tmp_path, of=other)
    assert left.exists()
    sweep_temporaries(tmp_path, of=path)
    assert not left.exists()


def test_two_threads_that_write_one_file_have_a_temporary_file_each(tmp_path):
    with atomic_path(tmp_path / "a.json") as first, atomic_path(tmp_path / "a.json") as second:
        assert first != second
        first.touch()
        second.touch()


def test_json_is_readable_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"ü": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "ü": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))


def test_sha256_is_that_of_the_bytes(tmp_path):
    write_text(tmp_path / "abc", "abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected


def test_versions_name_what_shapes_a_result():
    assert {"wristseg", "python", "torch", "numpy"} <= set(versions())


def test_git_commit_is_told_with_its_changes(tmp_path):
    assert git_commit(tmp_path) is None

    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, stdout=-3)

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "a")
    commit = git_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "a").write_text("2")
    assert git_commit(tmp_path) == f"{commit}-dirty"


def test_git_commit_is_that_of_the_code_wherever_a_command_is_started(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    before = git_commit()
    monkeypatch.chdir(tmp_path)
    assert git_commit() == before


def test_files_of_a_batch_appear_together(tmp_path):
    folder = tmp_path / "new" / "masks"
    with FileBatch(folder, ["a.png", "b.png"]) as batch:
        batch.write("a.png", b"first")
        batch.write("b.png", b"second")
        assert not [path for path in folder.iterdir() if not path.name.startswith(".")]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.png": b"first",
        "b.png": b"second",
    }


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_batch_that_is_stopped_leaves_what_was_there(tmp_path, error):
    (tmp_path / "a.png").write_bytes(b"old")

    def stopped():
        with FileBatch(tmp_path, ["a.png", "b.png"]) as batch:
            batch.write("a.png", b"new")
            batch.write("b.png", b"new")
            raise error

    with pytest.raises((KeyboardInterrupt, OSError)):
        stopped()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.png", b"old")]


def _in_child(code, folder):
    """Run code with a folder as its argument in a process of its own."""
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_f17_a_second_ctrl_c_waits_until_the_batch_is_cleaned_up(tmp_path):
    # In a process of its own: the signals are real.
    code = (
        "import signal, sys; from pathlib import Path; from wristseg import artifacts\n"
        "unlink = Path.unlink\n"
        "def again(self, **options):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    unlink(self, **options)\n"
        "names = [f'{i}.png' for i in range(9)]\n"
        "try:\n"
        "    with artifacts.FileBatch(Path(sys.argv[1]), names) as batch:\n"
        "        for name in names:\n"
        "            batch.write(name, b'new')\n"
        "        Path.unlink = again\n"
        "        raise KeyboardInterrupt\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = _in_child(code, tmp_path)
    assert done.stdout == "interrupted\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_f13_full_disk_is_told_with_the_file_of_the_batch(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from wristseg.artifacts import FileBatch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with FileBatch(Path(sys.argv[1]), ['a.png', 'b.png']) as batch:\n"
        "        batch.write('a.png', bytes(999))\n"
        "        batch.write('b.png', bytes(9999))\n"
        "except OSError as error:\n"
        "    print(error.filename)\n"
    )
    done = _in_child(code, tmp_path)
    assert done.stdout.strip() == str(tmp_path / "b.png")
    assert list(tmp_path.iterdir()) == []


def test_sweep_takes_what_dead_processes_of_this_machine_left_and_nothing_else(tmp_path):
    with atomic_path(tmp_path / "a.masks.mkv") as alive:
        alive.touch()
        dead = alive.with_name(alive.name.replace(str(os.getpid()), "4194300"))
        host = alive.name.split(".")[3].split("-")[0]
        elsewhere = dead.with_name(dead.name.replace(host, "00000000"))
        users = tmp_path / ".notes.4194300.tmp"
        for path in (dead, elsewhere, users):
            path.touch()
        sweep_temporaries(tmp_path)
        left = {alive: True, dead: False, elsewhere: True, users: True}
        assert {path: path.exists() for path in left} == left
