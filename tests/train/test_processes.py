"""Two processes train one network (Lightning DDP on the CPU)."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.datasets import make_coco_dataset

SCRIPT = Path(__file__).parents[2] / "src/training/train_efficientvit_seg.py"


@pytest.mark.slow
def test_two_processes_leave_one_run_folder_and_one_summary(tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=8)
    run = tmp_path / "run"
    command = [sys.executable, SCRIPT, "--dataset-path", dataset, "--output-dir", run]
    command += ["--img-height", "32", "--img-width", "48", "--batch-size", "2", "--epochs", "2"]
    command += ["--pretrained", "none", "--val-fraction", "0.4"]
    command += ["--accelerator", "cpu", "--devices", "2", "--strategy", "ddp"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best checkpoint:") == 1
    assert done.stderr.count("start weights:") == 1
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["train_frames"], metrics["val_frames"]) == (5, 3)
    said = torch.load(run / "best.ckpt", weights_only=True)["wristseg"]["metrics"]
    pixels = sum(map(sum, said["confusion_matrix"]))
    assert pixels == 3 * 32 * 48  # each validation frame once, whichever process saw it
    with (run / "results.csv").open(newline="") as file:
        assert all(0 < float(row["val/loss"]) < 1 for row in csv.DictReader(file))
