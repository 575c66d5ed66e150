"""Making start weights: in one process and in two, in stages."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.datasets import make_coco_dataset
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.images import write_mask

SCRIPT = Path(__file__).parents[2] / "scripts/pretrain.py"
SCALES = ("--scales", "32x32:2:1", "48x64:2:1")


@pytest.fixture
def rendered(tmp_path):
    """A data set with exact masks, as ``wristseg render --exact-masks`` leaves it."""
    folder = make_coco_dataset(tmp_path / "rendered", frames=12)
    dataset = load_labels(DatasetPaths(folder))
    (folder / "exact_masks").mkdir()
    for frame in dataset.frames:
        target = folder / "exact_masks" / f"{frame.stem}.png"
        write_mask(target, dataset.mask(frame), dataset.classes)
    return folder


def pretrain(*arguments, processes=1):
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*start, SCRIPT, *arguments, *SCALES, "--val-share", "0.25"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_second_stage_in_two_processes_goes_on_from_the_first(rendered, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    pretrain(rendered, "--output", first, "--cycles", "2")
    pretrain(
        rendered,
        "--weights",
        first / "weights.ckpt",
        "--output",
        second,
        "--cycles",
        "2",
        processes=2,
    )
    made = json.loads((second / "made.json").read_text())
    assert len(made["commands"]) == 2
    assert made["train_frames"] == 9
    assert list(made["figures"]) == ["32x32 (h x w)", "48x64 (h x w)"]
    assert all(math.isfinite(size["miou_named"]) for size in made["figures"].values())
    small, large, before = (
        torch.load(path, weights_only=True)["state_dict"]
        for path in (
            second / "weights_32x32.ckpt",
            second / "weights_48x64.ckpt",
            first / "weights_32x32.ckpt",
        )
    )
    differing = {name for name in small if not torch.equal(small[name], large[name])}
    # Sizes differ in what batch normalisation measured, and in nothing else.
    assert differing
    assert all("running_" in name for name in differing)
    assert not torch.equal(small["seg_head.weight"], before["seg_head.weight"])
