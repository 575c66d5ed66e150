"""Several processes train one network, and end together (DDP over gloo on the CPU)."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.datasets import make_coco_dataset
from tests.train.ranks import finish, small_options, start, start_ranks

pytestmark = pytest.mark.slow

#: In float64: AdamW makes full steps of gradients that are nothing but rounding.
EXACT = ("--precision", "64-true")

SCRIPT = Path(__file__).parents[2] / "src/training/train_efficientvit_seg.py"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """11 training frames: the last of three batches has 3, a process with 2 and one with 1."""
    folder = tmp_path_factory.mktemp("processes") / "dataset"
    return make_coco_dataset(folder, frames=16, size_hw=(96, 128))


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    """Five frames of another data set."""
    folder = tmp_path_factory.mktemp("mix") / "mix"
    names = [f"other_{i}" for i in range(5)]
    return make_coco_dataset(folder, frames=5, names=names, seed=1, size_hw=(96, 128))


def options_of(dataset, run, count):
    """Options of a training with four frames a step in so many processes."""
    return [*small_options(dataset, run), "--batch-size", 4 // count]


def trained(dataset, run, count, *options):
    """Train with four frames a step in so many processes; return last.ckpt and the epochs' rows."""
    finish(start_ranks(count, *options_of(dataset, run, count), *options))
    with (run / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return torch.load(run / "last.ckpt", weights_only=True), rows


def largest_difference(one, other):
    return max(
        (weight.double() - other["state_dict"][name].double()).abs().max().item()
        for name, weight in one["state_dict"].items()
    )


def assert_same(one, other):
    """Compare two trainings: weights, each loss, and what validation counted."""
    (alone, rows_alone), (both, rows_both) = one, other
    assert largest_difference(alone, both) < 1e-5
    said_alone, said_both = (found["wristseg"]["metrics"] for found in (alone, both))
    assert said_both["val/iou"] == said_alone["val/iou"]
    assert said_both["confusion_matrix"] == said_alone["confusion_matrix"]
    for row_alone, row_both in zip(rows_alone, rows_both, strict=True):
        for name in ("train/loss", "val/loss"):
            assert float(row_both[name]) == pytest.approx(float(row_alone[name]), abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        ("--loss", "iou"),
        ("--loss", "compound", "--kernel-lr", 0.01, "--unlabeled", "ignore"),
        ("--loss", "ce"),
    ],
    ids=["iou", "compound-muon", "ce"],
)
def test_f29_two_processes_train_the_weights_and_val_iou_of_one(dataset, tmp_path, options):
    options = (*EXACT, *options)
    alone = trained(dataset, tmp_path / "1", 1, *options)
    assert_same(alone, trained(dataset, tmp_path / "2", 2, *options))


def test_f29_two_processes_mix_a_second_data_set_as_one_does(dataset, mix, tmp_path):
    options = (*EXACT, "--mix", mix, "--mix-share", 0.5)
    alone = trained(dataset, tmp_path / "1", 1, *options)
    assert_same(alone, trained(dataset, tmp_path / "2", 2, *options))
    without, _ = trained(dataset, tmp_path / "without", 1, *EXACT)
    assert largest_difference(alone[0], without) > 1e-4, "the mixed frames count"


def test_f29_two_processes_that_are_resumed_train_the_weights_of_one(dataset, tmp_path):
    options = [*options_of(dataset, tmp_path / "2", 2), *EXACT]
    finish(start_ranks(2, *options, "--stop-in", 1), code=130)
    epochs = (tmp_path / "2" / "results.csv").read_text().splitlines()[1:]
    assert len(epochs) == 1, "stopped between the epochs"
    both = trained(dataset, tmp_path / "2", 2, *EXACT, "--resume")
    assert_same(trained(dataset, tmp_path / "1", 1, *EXACT), both)


def test_f29_two_processes_average_the_weights_of_their_common_steps(dataset, tmp_path):
    options = ("--ema", 0.5)
    alone, rows_alone = trained(dataset, tmp_path / "1", 1, *options)
    both, rows_both = trained(dataset, tmp_path / "2", 2, *options)
    # The average is kept in float32. Of these the gradients are more than rounding there.
    for name in ("seg_head.bias", "backbone.stem_in_conv.norm.running_mean"):
        average, current = both["state_dict"][name], both["current_model_state"][f"network.{name}"]
        apart = (average - alone["state_dict"][name]).abs().max()
        assert apart < 0.1 * (average - current).abs().max()
    for one, other in zip(rows_alone, rows_both, strict=True):
        assert float(other["val/loss"]) == pytest.approx(float(one["val/loss"]), abs=1e-5)
    plain, rows_plain = trained(dataset, tmp_path / "plain", 2)
    assert all(
        torch.equal(weight, both["current_model_state"][f"network.{name}"])
        for name, weight in plain["state_dict"].items()
    ), "averaging changes nothing in what is trained"
    losses = [[float(row["val/loss"]) for row in rows] for rows in (rows_both, rows_plain)]
    assert losses[0] != pytest.approx(losses[1], abs=1e-5), "the average is validated by both"


def test_processes_that_lightning_starts_are_resumed_with_mix_and_ema_to_the_bit(
    dataset, mix, tmp_path
):
    options = ("--mix", mix, "--mix-share", 0.5, "--ema", 0.5)
    whole, _ = trained(dataset, tmp_path / "whole", 2, *options)
    command = [*options_of(dataset, tmp_path / "parts", 2), *options, "--devices", 2]
    finish(start_ranks(1, *command, "--stop-in", 1), code=130)
    finish(start_ranks(1, *command, "--resume"))
    parts = torch.load(tmp_path / "parts" / "last.ckpt", weights_only=True)
    for name in ("state_dict", "current_model_state"):
        assert parts[name].keys() == whole[name].keys()
        assert all(torch.equal(value, parts[name][key]) for key, value in whole[name].items())


def test_without_shared_statistics_two_processes_train_other_weights(dataset, tmp_path):
    options = ("--precision", "64-true", "--no-sync-bn")
    alone, _ = trained(dataset, tmp_path / "1", 1, *options)
    both, _ = trained(dataset, tmp_path / "2", 2, *options)
    assert largest_difference(alone, both) > 1e-4
    pixels = sum(map(sum, both["wristseg"]["metrics"]["confusion_matrix"]))
    assert pixels == 5 * 84 * 84


def test_shared_statistics_of_uneven_parts_are_those_of_the_whole_batch():
    finish(start(2, "tests.train.shared_norm"))


def test_two_processes_leave_one_run_folder_and_one_summary(dataset, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, SCRIPT, *small_options(dataset, run), "--devices", 2]
    done = subprocess.run(
        [*map(str, command), "--batch-size", "2"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best checkpoint:") == 1
    assert done.stderr.count("start weights:") == 1
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["train_frames"], metrics["val_frames"]) == (11, 5)
    said = torch.load(run / "best.ckpt", weights_only=True)["wristseg"]["metrics"]
    pixels = sum(map(sum, said["confusion_matrix"]))
    assert pixels == 5 * 84 * 84  # each validation frame once, whichever process saw it
    assert not list(run.glob(".*tmp*"))


def test_torchrun_needs_no_options_beside_its_own(dataset, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [SCRIPT, *map(str, small_options(dataset, tmp_path / "run"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best checkpoint:") == 1


def wait_for(path, processes, *, timeout_s=200):
    deadline = time.monotonic() + timeout_s
    while not path.exists():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.1)


def told_by(process, *, timeout_s=60):
    """Return what a process that has to end says, without a traceback and with exit code 3."""
    try:
        _, stderr = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    assert process.returncode == 3, stderr
    assert "Traceback" not in stderr
    return stderr


@pytest.mark.parametrize("gone", [0, 1])
def test_f29_a_killed_process_ends_the_other_with_a_message(dataset, tmp_path, gone):
    run = tmp_path / "run"
    processes = start_ranks(2, *small_options(dataset, run), "--epochs", 1000)
    wait_for(run / "last.ckpt", processes)
    processes[gone].kill()
    processes[gone].communicate()
    said = told_by(processes[1 - gone])
    assert f"process {1 - gone} of 2: another process of this training has ended" in said
    assert "--resume" in said
    torch.load(run / "last.ckpt", weights_only=True)


def test_f29_a_process_that_hangs_is_given_up_after_the_timeout(dataset, tmp_path):
    run = tmp_path / "run"
    options = [*small_options(dataset, run), "--epochs", 1000, "--process-timeout-s", 20]
    processes = start_ranks(2, *options)
    wait_for(run / "last.ckpt", processes)
    processes[1].send_signal(signal.SIGSTOP)
    try:
        assert "does not answer" in told_by(processes[0])
    finally:
        processes[1].kill()
        processes[1].communicate()


def test_f29_a_killed_process_that_lightning_started_is_named(dataset, tmp_path):
    run = tmp_path / "run"
    options = [*small_options(dataset, run), "--epochs", 1000, "--devices", 2]
    main = start_ranks(1, *options)[0]
    wait_for(run / "last.ckpt", [main])
    children = Path(f"/proc/{main.pid}/task/{main.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    assert "process 1 (pid " in told_by(main)
