"""``wristseg train --folds``: one model per fold, and figures of frames none of them had seen."""

from __future__ import annotations

import dataclasses
import json
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from tests.datasets import make_coco_dataset
from wristseg.cli.folds import train_command
from wristseg.cli.options import parse_options
from wristseg.cli.train import main
from wristseg.configs import TrainConfig
from wristseg.errors import UsageError
from wristseg.recipes import recipe_options
from wristseg.train.module import EfficientViTSegModule


@pytest.fixture
def arguments(tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=8)
    small = ["--img-height", "32", "--img-width", "48", "--batch-size", "2", "--epochs", "1"]
    place = ["--dataset-path", str(dataset), "--output-dir", str(tmp_path / "run")]
    return [*place, *small, "--pretrained", "none", "--accelerator", "cpu"]


def test_every_frame_is_judged_once_by_a_model_of_the_other_recordings(arguments, tmp_path, capsys):
    assert main([*arguments, "--folds", "2"]) == 0
    folder = tmp_path / "run" / "folds"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["frames"] == metrics["figures"]["val/iou"]["n"] == 8
    assert len({frame["stem"] for frame in metrics["per_frame"]}) == 8
    sides = [
        json.loads((folder / f"fold_{i}" / "split.json").read_text(encoding="utf-8"))
        for i in (1, 2)
    ]
    for split in sides:
        recordings = [{stem.split("_")[0] for stem in split[side]} for side in ("train", "val")]
        assert recordings[0].isdisjoint(recordings[1])
    assert [(fold["recordings"], fold["frames"]) for fold in metrics["folds"]] == [
        (["demo0"], 4),
        (["demo1"], 4),
    ]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "trained without its recording" in " ".join(page.split())
    assert f"report: {folder / 'report.html'}" in capsys.readouterr().out
    assert not (tmp_path / "run" / "best.ckpt").exists()


def test_an_interrupted_fold_promises_no_resume(arguments, capsys, monkeypatch):
    step = EfficientViTSegModule.training_step

    def stop(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EfficientViTSegModule, "training_step", stop)
    longer = ["2" if before == "--epochs" else word for before, word in pairwise(["", *arguments])]
    assert main([*longer, "--folds", "2"]) == 130
    said = capsys.readouterr().err
    assert "last.ckpt keeps the epochs before\n" in said
    assert "--resume" not in said


def test_the_next_command_trains_with_the_options_that_were_cross_validated(tmp_path):
    config = TrainConfig(
        tmp_path / "my data",
        **recipe_options("robust", ema=0.9, mix=tmp_path / "mix"),
        img_height=84,
        batch_size=16,
        compile=True,
        folds=3,
    )
    words = shlex.split(train_command(config))
    assert words[:2] == ["wristseg", "train"]
    told = parse_options(
        TrainConfig,
        words[2:],
        prog="wristseg train",
        description="",
        defaults=recipe_options("robust"),
    )
    assert told == dataclasses.replace(config, folds=None)


def test_models_of_an_earlier_cross_validation_are_moved_aside(arguments, tmp_path):
    left = tmp_path / "run" / "folds" / "fold_3"
    left.mkdir(parents=True)
    (left / "last.ckpt").write_bytes(b"of an earlier one")
    assert main([*arguments, "--folds", "2"]) == 0
    assert sorted(path.name for path in left.parent.glob("fold_*")) == ["fold_1", "fold_2"]
    kept = list(left.parent.glob("archive/*/fold_3/last.ckpt"))
    assert [path.read_bytes() for path in kept] == [b"of an earlier one"]


def test_more_folds_than_recordings_end_with_2_before_anything_is_written(
    arguments, tmp_path, capsys
):
    assert main([*arguments, "--folds", "3"]) == 2
    assert "--folds 3: the data set has 2 recordings (demo0, demo1)" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [{"folds": 1}, {"folds": 3, "resume": True}])
def test_folds_that_make_no_sense_are_refused(options):
    with pytest.raises(UsageError, match="--folds"):
        TrainConfig(Path("d"), **options)
