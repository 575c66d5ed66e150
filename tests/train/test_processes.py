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

SCRIPT = Path(__file__).parents[2] / "src/training/train_efficientvit_seg.py"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """11 training frames: the last of three batches has 3, a process with 2 and one with 1."""
    folder = tmp_path_factory.mktemp("processes") / "dataset"
    return make_coco_dataset(folder, frames=16, size_hw=(96, 128))


def trained(dataset, run, count, *options):
    """Train with four frames a step in so many processes; return last.ckpt and the epochs' rows."""
    options = [*small_options(dataset, run), "--batch-size", 4 // count, *options]
    finish(start_ranks(count, *options))
    with (run / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return torch.load(run / "last.ckpt", weights_only=True), rows


def largest_difference(one, other):
    return max(
        (weight.double() - other["state_dict"][name].double()).abs().max().item()
        for name, weight in one["state_dict"].items()
    )


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
    # In float64: AdamW makes full steps of gradients that are nothing but rounding.
    options = ("--precision", "64-true", *options)
    alone, rows_alone = trained(dataset, tmp_path / "1", 1, *options)
    both, rows_both = trained(dataset, tmp_path / "2", 2, *options)
    assert largest_difference(alone, both) < 1e-5
    said_alone, said_both = (found["wristseg"]["metrics"] for found in (alone, both))
    assert said_both["val/iou"] == said_alone["val/iou"]
    assert said_both["confusion_matrix"] == said_alone["confusion_matrix"]
    for one, other in zip(rows_alone, rows_both, strict=True):
        for name in ("train/loss", "val/loss"):
            assert float(other[name]) == pytest.approx(float(one[name]), abs=1e-6)


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
