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
SCALES = ("--scales", "32x32:2", "48x64:2")


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


def pretrain(*arguments):
    command = [sys.executable, SCRIPT, *arguments, *SCALES, "--val-share", "0.25"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights_in(path):
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.slow
def test_a_second_stage_goes_on_from_the_first(rendered, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    pretrain(rendered, "--output", first, "--steps", "2")
    pretrain(rendered, "--weights", first / "weights.ckpt", "--output", second, "--steps", "2")
    made = json.loads((second / "made.json").read_text())
    assert len(made["commands"]) == 2
    assert made["train_frames"] == 9
    assert list(made["figures"]) == ["32x32 (h x w)", "48x64 (h x w)"]
    assert all(math.isfinite(size["miou_named"]) for size in made["figures"].values())
    small, large = (weights_in(second / f"weights_{size}.ckpt") for size in ("32x32", "48x64"))
    differing = {name for name in small if not torch.equal(small[name], large[name])}
    # Sizes differ in what batch normalisation measured, and in nothing else.
    assert differing
    assert all("running_" in name for name in differing)
    before = weights_in(first / "weights_32x32.ckpt")
    assert not torch.equal(small["seg_head.weight"], before["seg_head.weight"])


@pytest.mark.slow
def test_weights_of_two_stages_are_averaged_by_their_shares(rendered, tmp_path):
    stages = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(stages):
        pretrain(rendered, "--output", folder, "--steps", "2", "--seed", str(seed))
    paths = [folder / "weights.ckpt" for folder in stages]
    mean = tmp_path / "mean"
    pretrain(
        rendered,
        "--weights",
        *paths,
        "--shares",
        "0.25",
        "0.75",
        "--output",
        mean,
        "--steps",
        "0",
    )
    one, two, both = (
        weights_in(path)["seg_head.weight"] for path in (*paths, mean / "weights.ckpt")
    )
    assert torch.allclose(both, 0.25 * one + 0.75 * two)


@pytest.mark.slow
def test_a_training_of_some_minutes_ends_after_them(rendered, tmp_path):
    told = pretrain(rendered, "--output", tmp_path / "out", "--minutes", "0.25")
    steps = [int(line.split()[1]) for line in told.splitlines() if line.startswith("step ")]
    assert 100 <= max(steps) < 8000
