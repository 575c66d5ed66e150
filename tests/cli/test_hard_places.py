"""F13, F32: disks that are full and folders that nobody may write to, met by whole commands.

The commands run in one process apart from the tests: limits and rights belong to a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets import make_coco_dataset
from tests.rights import bound_by_rights

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and rights of Linux")

_ROOT = Path(__file__).parents[2]

#: Runs one command per line of stdin, with files that end at so many bytes; says code and words.
_CHILD = """
import contextlib, io, json, resource, sys
from wristseg.cli.main import main
for line in sys.stdin:
    given, said = json.loads(line), io.StringIO()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (given["bytes"], hard))
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code = main(given["arguments"])
        except BaseException as error:
            code = repr(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(json.dumps([code, said.getvalue()]), flush=True)
"""


class Commands:
    """A process that runs commands of wristseg."""

    def __init__(self):
        environment = {**os.environ, "PYTHONPATH": str(_ROOT / "src"), "WRISTSEG_RUNTIME": "torch"}
        self.process = subprocess.Popen(
            bound_by_rights([sys.executable, "-c", _CHILD]),
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, *arguments, file_bytes=-1):
        given = {"arguments": list(map(str, arguments)), "bytes": file_bytes}
        self.process.stdin.write(json.dumps(given) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the process died: {self.process.wait()}"
        return json.loads(answer)


@pytest.fixture(scope="module")
def commands():
    running = Commands()
    yield running
    running.process.stdin.close()
    assert running.process.wait(timeout=60) == 0
    running.process.stdout.close()


def _train(dataset, output):
    small = ("--img-height", "32", "--img-width", "48", "--batch-size", "2", "--epochs", "2")
    options = ("--pretrained", "none", "--accelerator", "cpu", "--val-fraction", "0.3")
    return ("train", "--dataset-path", dataset, "--output-dir", output, *small, *options)


def _files(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


#: What a training writes first that is larger than this: config.yaml, a picture, a checkpoint.
F13_POINTS = {"options": 100, "picture of the first batch": 3_000, "checkpoint": 1_000_000}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("point", F13_POINTS)
def test_f13_full_disk_ends_a_training_with_3_and_a_file_named(commands, tmp_path, point):
    dataset, run = make_coco_dataset(tmp_path / "dataset", frames=8), tmp_path / "run"
    before = _files(dataset)
    code, said = commands.run(*_train(dataset, run), file_bytes=F13_POINTS[point])
    assert code == 3, said
    *_, last = said.splitlines()
    assert last.startswith("wristseg train: ")
    assert "File too large" in last
    assert str(run) in last
    assert "Traceback" not in said
    assert not [path for path in run.rglob(".*") if "tmp" in path.name]
    assert not (run / "best.ckpt").exists()
    assert _files(dataset) == before


@pytest.mark.timeout(900)
def test_f13_full_disk_leaves_the_checkpoint_of_the_epoch_before(commands, tmp_path):
    dataset, run = make_coco_dataset(tmp_path / "dataset", frames=8), tmp_path / "run"
    code, said = commands.run(*_train(dataset, run))
    assert code == 0, said
    before = (run / "best.ckpt").read_bytes()
    code, said = commands.run(*_train(dataset, run), file_bytes=1_000_000)
    assert code == 3
    (kept,) = (run / "archive").glob("*/best.ckpt")
    assert kept.read_bytes() == before


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "read only (ü)"
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


def _masks(dataset, output):
    return ("masks", "--dataset-path", dataset, "--output-dir", output)


def _check(dataset, output):
    return ("check", dataset, "--output", output / "check.html")


def _predict(dataset, output):
    model = ("--checkpoint", "sim-84", "--device", "cpu")
    images = dataset / "images" / "default"
    return ("predict", *model, "--input", images, "--output", output)


F32_COMMANDS = {"train": _train, "masks": _masks, "check": _check, "predict": _predict}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", F32_COMMANDS)
def test_f32_read_only_folder_ends_with_3_and_its_name(commands, tmp_path, read_only, name):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=8)
    code, said = commands.run(*F32_COMMANDS[name](dataset, read_only / "out"))
    assert code == 3, said
    assert "Permission denied" in said
    assert str(read_only) in said
    assert "Traceback" not in said
    assert list(read_only.iterdir()) == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", F32_COMMANDS)
def test_f32_missing_data_set_is_named(commands, tmp_path, name):
    missing = tmp_path / "nirgends"
    code, said = commands.run(*F32_COMMANDS[name](missing, tmp_path / "out"))
    assert code in {2, 3}, said
    assert "nirgends" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_f32_second_job_on_a_run_folder_ends_with_2_at_once(commands, tmp_path):
    from wristseg.train.run_folder import hold_run_folder

    dataset, run = make_coco_dataset(tmp_path / "dataset", frames=8), tmp_path / "run"
    with hold_run_folder(run):
        code, said = commands.run(*_train(dataset, run))
    assert code == 2, said
    assert f"pid {os.getpid()}" in said
    assert {path.name for path in run.iterdir()} <= {".lock"}
