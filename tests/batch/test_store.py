"""Outputs and inputs at addresses that fsspec knows: the same as in folders."""

from __future__ import annotations

import contextlib
import json

import fsspec
import pytest

from tests.batch.clips import label, label_here, make_inputs, outputs_of
from wristseg.batch.inputs import find_items
from wristseg.batch.store import open_store
from wristseg.errors import DataError, UsageError


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def without_names(index):
    """Return an index without the inputs' names, which say where they lie."""
    lines = [json.loads(line) for line in index.splitlines()]
    return [{key: line[key] for key in line if key != "input"} for line in lines]


def test_masks_in_a_store_are_those_in_a_folder(inputs, in_one_process, memory):
    assert label_here(inputs, "memory://bucket/out") == 4
    folder = outputs_of(in_one_process)
    stored = {
        name.removeprefix("/bucket/out/"): memory.cat(name) for name in memory.find("/bucket")
    }
    made = {name for name in stored if not name.endswith((".done.json", "job.json"))}
    assert made == set(folder)
    for name, content in stored.items():
        if name.endswith((".mkv", "index.jsonl")):
            assert content == (in_one_process / name).read_bytes(), name


def test_second_run_keeps_what_lies_in_a_store(inputs, memory, capsys):
    for _ in range(2):
        assert label_here(inputs, "memory://bucket/out") == 4
    assert "10 of them were there already" in capsys.readouterr().out.splitlines()[-3]


def test_inputs_are_fetched_from_a_store(inputs, in_one_process, memory, tmp_path):
    memory.put(str(inputs), "/clips", recursive=True)
    for number, address in enumerate(("memory://clips", "memory://clips/*.mp4")):
        output = tmp_path / str(number)
        assert label_here(address, output) == 4
        fetched = (output / "index.jsonl").read_text()
        expected = (in_one_process / "index.jsonl").read_text()
        assert without_names(fetched) == without_names(expected)
    assert json.loads(fetched.splitlines()[0])["input"].startswith("memory://")


def test_workers_write_through_fsspec_what_they_write_into_a_folder(tmp_path):
    # "local" is fsspec's own filesystem of this machine, which renames where stores do not.
    folder = make_inputs(tmp_path / "in", clips=2)
    assert label_here(folder, tmp_path / "folder") == 0
    done = label(f"local://{folder}", f"local://{tmp_path}/stored", "--workers", "1")
    assert done.returncode == 0, done.stderr
    made, expected = outputs_of(tmp_path / "stored"), outputs_of(tmp_path / "folder")
    assert {k: v for k, v in made.items() if "items/" in k} == {
        k: v for k, v in expected.items() if "items/" in k
    }
    assert not [name for name in made if "/." in name], "nothing half uploaded"


def test_file_address_is_a_folder(inputs, in_one_process, tmp_path):
    assert label_here(inputs, f"file://{tmp_path}/out") == 4
    assert outputs_of(tmp_path / "out") == outputs_of(in_one_process)


def test_upload_that_fails_leaves_nothing(tmp_path):
    store = open_store(f"local://{tmp_path}")
    with contextlib.suppress(RuntimeError), store.writing("items/a.bin") as path:
        path.write_bytes(b"half")
        raise RuntimeError
    assert store.size("items/a.bin") is None
    assert store.names("items", "") == []


def test_store_that_cannot_be_written_to_is_told(monkeypatch, memory):
    def refuse(*_arguments, **_options):
        raise NotImplementedError

    store = open_store("memory://bucket")
    monkeypatch.setattr(memory, "put_file", refuse)
    with pytest.raises(OSError, match="cannot be written to; choose"):
        store.write_text("job.json", "1")


def test_exception_of_a_store_is_no_fault_of_an_input(memory, monkeypatch):
    class NoCredentialsError(Exception):
        """As botocore has them: no OSError."""

    def refuse(*_arguments, **_options):
        raise NoCredentialsError("unable to locate credentials")

    store = open_store("memory://bucket")
    monkeypatch.setattr(memory, "put_file", refuse)
    with pytest.raises(OSError, match="NoCredentialsError") as caught:
        store.write_text("items/a.json", "1")
    assert caught.value.filename == "/bucket/items/a.json"


@pytest.mark.parametrize("address", ["folder", "memory://folder"])
def test_stores_agree(address, tmp_path, monkeypatch, memory):
    monkeypatch.chdir(tmp_path)
    store = open_store(address)
    assert store.read_text("a/b.json") is None
    assert store.size("a/b.json") is None
    assert store.names("a", ".json") == []
    store.delete("a/b.json")
    store.write_text("a/b.json", "ü")
    store.write_text("a/c.json", "1")
    assert (store.read_text("a/b.json"), store.size("a/b.json")) == ("ü", 2)
    assert store.names("a", ".json") == ["a/b.json", "a/c.json"]
    store.delete("a/b.json")
    assert store.names("a", ".json") == ["a/c.json"]


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("memory://nothing/here", DataError, "no such file"),
        ("memory://texts", UsageError, "no image or video"),
        ("memory://set", UsageError, "has to lie on this machine"),
        ("nosuch://bucket/x.mp4", UsageError, "nosuch"),
    ],
)
def test_addresses_without_inputs_are_told(address, error, said, memory):
    memory.pipe("/texts/a.txt", b"a")
    memory.pipe("/set/meta/info.json", b"{}")
    with pytest.raises(error, match=said):
        find_items([address], camera=None)
