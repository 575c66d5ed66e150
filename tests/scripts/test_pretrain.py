"""Making start weights: in stages, with averages, within a time; options that cannot work."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scripts.pretrain import main
from tests.datasets import make_coco_dataset
from tests.rendered import make_rendered
from wristseg.classes import DEFAULT_CLASSES
from wristseg.modeling.checkpoint import load_network
from wristseg.packed_file import model_path, read_packed

SCRIPT = Path(__file__).parents[2] / "scripts/pretrain.py"
SCALES = ("--scales", "48x48:2", "48x64:2")


@pytest.fixture
def rendered(tmp_path):
    return make_rendered(tmp_path / "rendered", seed=3)


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
    assert list(made["figures"]) == ["48x48 (h x w)", "48x64 (h x w)"]
    assert all(math.isfinite(size["miou_named"]) for size in made["figures"].values())
    small, large = (weights_in(second / f"weights_{size}.ckpt") for size in ("48x48", "48x64"))
    differing = {name for name in small if not torch.equal(small[name], large[name])}
    # Sizes differ in what batch normalisation measured, and in nothing else.
    assert differing
    assert all("running_" in name for name in differing)
    before = weights_in(first / "weights_48x48.ckpt")
    assert not torch.equal(small["seg_head.weight"], before["seg_head.weight"])


@pytest.mark.slow
def test_a_size_is_trained_and_measured_on_the_frames_that_reach_it(rendered, tmp_path):
    larger = make_rendered(tmp_path / "larger", seed=7, size_hw=(72, 96))
    command = [rendered, larger, "--output", tmp_path / "out", "--steps", "2", "--val-share", "0.5"]
    options = ["--scales", "48x48:2", "72x96:3", "--precision", "bfloat16"]
    assert main([str(part) for part in (*command, *options)]) == 0
    made = json.loads((tmp_path / "out/made.json").read_text())
    assert [size["frames"] for size in made["figures"].values()] == [12, 6]
    assert made["train_frames"] == 12
    assert made["seeds"]["rendering"] == [3, 7]
    command = [rendered, larger, "--output", tmp_path / "two", "--steps", "0", "--val-share", "0.5"]
    assert main([str(part) for part in (*command, "--scales", "72x96:3")]) == 0
    assert json.loads((tmp_path / "two/made.json").read_text())["train_frames"] == 6


@pytest.mark.slow
def test_training_goes_on_from_weights_that_ship(rendered, tmp_path):
    more = tmp_path / "more"
    pretrain(rendered, "--weights", "sim-84", "--output", more, "--steps", "0")
    shipped = model_path("sim-84")
    head = load_network(shipped)[0].state_dict()["seg_head.weight"]
    assert torch.equal(weights_in(more / "weights.ckpt")["seg_head.weight"], head)
    commands = json.loads((more / "made.json").read_text())["commands"]
    assert commands[:-1] == read_packed(shipped).made["commands"]
    assert "--weights sim-84" in commands[-1]
    seeds = json.loads((more / "made.json").read_text())["seeds"]["rendering"]
    assert set(seeds) == {3, *read_packed(shipped).made["seeds"]["rendering"]}


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
    told = pretrain(rendered, "--output", tmp_path / "out", "--minutes", "0.1")
    last = next(line for line in told.splitlines() if line.endswith(" steps"))
    assert 1 <= int(last.split()[0]) < 8000


def test_a_training_that_was_stopped_is_a_stage_to_go_on_from(rendered, tmp_path, monkeypatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    options = [str(rendered), "--scales", "48x48:2", "--val-share", "0.25", "--steps"]
    with monkeypatch.context() as patched:
        patched.setattr("scripts.pretrain.settle", stop)
        assert main([*options, "1", "--output", str(tmp_path / "one")]) == 130
    weights = str(tmp_path / "one/weights.ckpt")
    assert main([*options, "0", "--output", str(tmp_path / "two"), "--weights", weights]) == 0
    assert len(json.loads((tmp_path / "two/made.json").read_text())["commands"]) == 2


def test_weights_that_are_no_numbers_are_not_written(rendered, tmp_path, capsys):
    output = tmp_path / "out"
    options = ["--output", output, "--steps", "2", "--kernel-lr", "1e38", *SCALES]
    assert main([str(part) for part in (rendered, *options, "--val-share", "0.25")]) == 3
    assert "weights.ckpt is not written" in capsys.readouterr().err
    assert list(output.rglob("*.ckpt")) == []


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--scales", "nonsense"], 2, "--scales nonsense: expected HEIGHTxWIDTH:BATCH"),
        (["--scales", "48x64"], 2, "--scales 48x64: expected HEIGHTxWIDTH:BATCH"),
        (["--scales", "48x64:0"], 2, "a batch of 1 or more"),
        (["--scales", "32x64:2"], 2, "sides above 32"),
        (["--scales", "48x66:2"], 2, "--scales 48x66: no data set has frames that large"),
        (["--scales", "48x64:2", "48x64:4"], 2, "--scales: 48x64 stands twice"),
        (["--shares", "1"], 2, "--shares: 1 for 0 --weights"),
        (["--weights", "a.ckpt", "b.ckpt", "--shares", "1"], 2, "--shares: 1 for 2 --weights"),
        (["--weights", "a.ckpt", "b.ckpt", "--shares", "1", "1"], 2, "add up to 2, expected 1"),
        (["--weights", "a.ckpt"], 3, "a.ckpt"),
        (["--minutes", "0"], 2, "--minutes: out of range"),
        (["--steps=-1"], 2, "--steps: out of range"),
        (["--val-share", "1.5", "--ema", "1"], 2, "--ema, --val-share: out of range"),
        (["--val-share", "0.01"], 3, "of 12 frames 12 would train"),
        (["--device", "nonsense"], 2, "--device nonsense: expected auto, cpu"),
    ],
)
def test_options_that_cannot_work_are_told_before_any_work(
    rendered, tmp_path, capsys, options, code, said
):
    output = tmp_path / "out"
    scales = [] if "--scales" in options else SCALES
    share = [] if "--val-share" in options else ["--val-share", "0.25"]
    assert main([str(rendered), "--output", str(output), *scales, *share, *options]) == code
    assert said in capsys.readouterr().err
    assert not output.exists()


def test_data_sets_without_exact_masks_or_of_other_classes_are_refused(rendered, tmp_path, capsys):
    bare = make_coco_dataset(tmp_path / "bare", frames=12)
    assert main([str(bare), "--output", str(tmp_path / "out")]) == 2
    assert "bare: no exact_masks in it; render it with --exact-masks" in capsys.readouterr().err
    other = tmp_path / "other"
    shutil.copytree(rendered, other)
    said = json.dumps(DEFAULT_CLASSES.to_dict())
    (other / "dataset.yaml").write_text(said.replace('"cube"', '"mug"'))
    coco = next(other.rglob("instances_*.json"))
    coco.write_text(coco.read_text().replace('"cube"', '"mug"'))
    options = ["--output", str(tmp_path / "out"), "--val-share", "0.25"]
    assert main([str(rendered), str(other), *options]) == 3
    assert "other: its classes are not those of" in capsys.readouterr().err


def test_no_data_set_is_an_error_of_usage(tmp_path, capsys):
    assert main(["--output", str(tmp_path / "out")]) == 2
    assert "no data set: give folders rendered with --exact-masks" in capsys.readouterr().err


def test_results_of_another_training_are_not_written_over(rendered, tmp_path, capsys):
    kept = tmp_path / "out" / "weights.ckpt"
    kept.parent.mkdir()
    kept.write_bytes(b"earlier weights")
    assert main([str(rendered), "--output", str(kept.parent)]) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert kept.read_bytes() == b"earlier weights"


def test_an_output_that_is_a_file_is_refused_before_anything_is_read(tmp_path, capsys):
    (tmp_path / "out").touch()
    assert main([str(tmp_path / "no_data"), "--output", str(tmp_path / "out")]) == 2
    assert "choose a folder" in capsys.readouterr().err
