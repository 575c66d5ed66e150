"""F12, F16, F17: killed or told to stop at any moment, a training leaves what it can go on from."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
from pathlib import Path

import pytest
import torch

from tests.children import run_module
from tests.counts import times
from tests.datasets import make_coco_dataset

_KILLS = times(20, 50)
_OTHER_FILESYSTEM = Path("/dev/shm")


@pytest.mark.slow
@pytest.mark.timeout(times(300, 1800))
@pytest.mark.tried(_KILLS)
@pytest.mark.parametrize("temporary", ["here", "elsewhere"])
def test_f12_killed_while_saving_leaves_a_whole_checkpoint(tmp_path, temporary):
    if temporary == "elsewhere":
        if not _OTHER_FILESYSTEM.is_dir():
            pytest.skip("no second filesystem to put TMPDIR on")
        assert _OTHER_FILESYSTEM.stat().st_dev != tmp_path.stat().st_dev
    place = tmp_path if temporary == "here" else _OTHER_FILESYSTEM
    child = run_module(
        "tests.train.killed_writer", tmp_path / "run", _KILLS, env={"TMPDIR": str(place)}
    )
    printed, _ = child.communicate(timeout=1700)
    assert child.returncode == 0  # what went wrong stands on stderr
    said = json.loads(printed)
    assert said["damaged"] == []
    assert said["saved"] >= 2 * _KILLS, "not every writer wrote before its kill"
    assert said["half"] >= _KILLS / 20, "hardly any kill met a write"
    assert [name for name in said["left"] if "tmp" in name] == []


class Trainings:
    """A process that starts trainings as copies of itself."""

    def __init__(self, dataset, folder):
        self.folder = folder
        self.child = run_module("tests.train.killed_training")
        small = ["--img-height", "32", "--img-width", "48", "--batch-size", "2"]
        more = ["--pretrained", "none", "--accelerator", "cpu", "--val-fraction", "0.3"]
        self.options = ["--dataset-path", str(dataset), *small, *more]

    def run(self, name, *arguments, signals=(), wait_for="last.ckpt"):
        """Train into the folder ``name``; returns exit code and what was said."""
        run_folder = self.folder / name
        given = {
            "arguments": [*self.options, "--output-dir", str(run_folder), *arguments],
            "signals": list(signals),
            "wait_for": str(run_folder / wait_for) if signals else "",
            "said": str(self.folder / f"{name}.txt"),
        }
        self.child.stdin.write(json.dumps(given) + "\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        return answer["code"], answer["said"]

    def checkpoint(self, name):
        return torch.load(self.folder / name / "last.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    running = Trainings(make_coco_dataset(folder / "dataset", frames=8), folder)
    with contextlib.closing(running.child.stdin), running.child.stdout:
        yield running
        running.child.stdin.close()
        try:
            assert running.child.wait(timeout=60) == 0
        finally:
            running.child.kill()


_ENDLESS = ("--epochs", "500", "--patience", "500")


def stopped_well(trainings, name, code, said, number):
    expected, word = {
        signal.SIGTERM: (143, "terminated"),
        signal.SIGINT: (130, "interrupted"),
    }[number]
    assert code == expected, said
    assert word in said
    assert "--resume goes on" in said
    assert "Traceback" not in said
    assert "Exception ignored" not in said or "KeyboardInterrupt" in said or "Terminated" in said
    # Lightning counts epochs from 0; the last that was announced is the last that was saved.
    announced = [int(epoch) for epoch in re.findall(r"^epoch +(\d+)/", said, re.M)]
    saved = trainings.checkpoint(name)["epoch"] + 1
    assert saved >= max(announced, default=1) - 1, "more than one epoch is lost"
    assert not list((trainings.folder / name).glob(".*.tmp*"))


@pytest.mark.slow
@pytest.mark.timeout(times(300, 1800))
@pytest.mark.parametrize("trial", range(times(1, 10)))
def test_f17_sigterm_ends_a_training_with_143_and_its_state_saved(trainings, trial):
    rng, name = random.Random(trial), f"term{trial}"
    signals = [(int(signal.SIGTERM), rng.uniform(0, 0.6))]
    code, said = trainings.run(name, *_ENDLESS, signals=signals)
    stopped_well(trainings, name, code, said, signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.timeout(times(300, 1800))
@pytest.mark.parametrize("trial", range(times(1, 5)))
def test_f17_sigint_ends_a_training_with_130_and_its_state_saved(trainings, trial):
    rng, name = random.Random(100 + trial), f"int{trial}"
    signals = [(int(signal.SIGINT), rng.uniform(0, 0.6))]
    code, said = trainings.run(name, *_ENDLESS, signals=signals)
    stopped_well(trainings, name, code, said, signal.SIGINT)


_DOUBLE = [
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGTERM),
    (signal.SIGTERM, signal.SIGINT),
    (signal.SIGINT, signal.SIGTERM),
    (signal.SIGINT, signal.SIGINT),
]


@pytest.mark.slow
@pytest.mark.timeout(times(300, 1800))
@pytest.mark.parametrize("trial", range(times(2, 5)))
def test_f17_second_signal_does_not_break_the_ending(trainings, trial):
    rng, name = random.Random(200 + trial), f"double{trial}"
    first, second = _DOUBLE[trial]
    signals = [(int(first), rng.uniform(0, 0.4)), (int(second), rng.uniform(0.001, 0.3))]
    code, said = trainings.run(name, *_ENDLESS, signals=signals)
    stopped_well(trainings, name, code, said, first)


@pytest.mark.slow
@pytest.mark.tried(times(1, 5))
@pytest.mark.timeout(times(900, 3600))
def test_f16_killed_and_resumed_training_equals_an_uninterrupted_one(trainings):
    epochs, kills = 8, times(1, 5)
    recipe = ("--epochs", str(epochs), "--augment", "full")
    code, said = trainings.run("whole", *recipe)
    assert code == 0, said
    rng = random.Random(16)
    for trial in range(kills):
        name = f"killed{trial}"
        kill = [(int(signal.SIGKILL), rng.uniform(0, 0.3))]
        code, said = trainings.run(name, *recipe, signals=kill)
        assert code == -signal.SIGKILL, said
        code, said = trainings.run(name, *recipe, "--resume")
        assert code == 0, said
        whole, resumed = trainings.checkpoint("whole"), trainings.checkpoint(name)
        for key, value in whole["state_dict"].items():
            assert torch.equal(value, resumed["state_dict"][key]), key
        assert whole["wristseg"]["metrics"] == resumed["wristseg"]["metrics"]
        rows = [
            [
                line.split(",")[:4]
                for line in (trainings.folder / run / "results.csv").read_text().splitlines()
            ]
            for run in ("whole", name)
        ]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 1 + epochs
