"""Plain command lines are read as tyro reads them; all others are left to tyro."""

from __future__ import annotations

import subprocess
import sys

import pytest
import tyro

from wristseg.cli import options
from wristseg.cli.options import parse_options
from wristseg.configs import (
    CheckConfig,
    DemoConfig,
    InfoConfig,
    MasksConfig,
    PredictConfig,
    TrainConfig,
)
from wristseg.errors import UsageError

PLAIN = [
    (MasksConfig, "--dataset-path data"),
    (MasksConfig, "--output-dir out --dataset-path a/b --viz-dir v --selections s.json"),
    (CheckConfig, "data --seed 7"),
    (CheckConfig, "--seed 7 data --output page.html"),
    (InfoConfig, "best.ckpt --json"),
    (InfoConfig, "--json best.ckpt"),
    (DemoConfig, ""),
    (DemoConfig, "--lr 1e-3 --epochs 20"),
    (PredictConfig, "--checkpoint b.ckpt --input *.png --alpha 0.25 --save-mask --device cpu"),
    (TrainConfig, "--dataset-path d --img-height 84 --num-classes 6 --lr 3E-4 --resume"),
]

ODD = [
    (MasksConfig, "--dataset_path data"),
    (MasksConfig, "--dataset-path=data"),
    (MasksConfig, "--dataset-path data --output-dir None"),
    (TrainConfig, "--dataset-path d --loss ce"),
    (TrainConfig, "--dataset-path d --weight-decay -1"),
    (PredictConfig, "--checkpoint b.ckpt --input ./-x.png --alpha .5"),
]

WRONG = [
    (MasksConfig, ""),
    (MasksConfig, "--dataset-path"),
    (MasksConfig, "--dataset-path a stray"),
    (MasksConfig, "--dataset-path a --dataset-pat b"),
    (CheckConfig, "--dataset-path data"),
    (InfoConfig, "best.ckpt --json yes"),
    (TrainConfig, "--dataset-path d --epochs 2.5"),
    (TrainConfig, "--dataset-path d --epochs --resume"),
    (PredictConfig, "--checkpoint a --input b --alpha high"),
]


def by_tyro(monkeypatch, config_type, line):
    with monkeypatch.context() as patch:
        patch.setattr(options, "_plain_values", lambda *_: None)
        return outcome(config_type, line)


def outcome(config_type, line):
    try:
        return parse_options(config_type, line.split(), prog="test", description="Tests.")
    except (SystemExit, UsageError) as stopped:
        return type(stopped), str(stopped)


@pytest.mark.parametrize(("config_type", "line"), PLAIN + ODD + WRONG, ids=str)
def test_every_line_means_what_it_means_to_tyro(monkeypatch, config_type, line):
    assert outcome(config_type, line) == by_tyro(monkeypatch, config_type, line)


@pytest.mark.parametrize(("config_type", "line"), PLAIN, ids=str)
def test_plain_line_does_not_wait_for_tyro(monkeypatch, config_type, line):
    monkeypatch.setattr(tyro, "cli", lambda *_, **__: pytest.fail("tyro was asked"))
    assert isinstance(outcome(config_type, line), config_type)


@pytest.mark.parametrize(("config_type", "line"), WRONG, ids=str)
def test_mistake_ends_with_2_and_a_message(capsys, config_type, line):
    assert outcome(config_type, line) == (SystemExit, "2")
    assert capsys.readouterr().err


def test_options_that_contradict_each_other_are_refused():
    assert outcome(PredictConfig, "--checkpoint a --input b --alpha 2")[0] is UsageError


SLOW = (
    "{'tyro', 'rich', 'cv2', 'yaml', 'torch', 'matplotlib', 'jinja2', 'av', 'concurrent.futures'}"
)


def test_masks_start_with_what_they_need_alone():
    code = f"import sys, wristseg.cli.masks, wristseg.data.masks; print({SLOW} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"


ROBUST = {"recipe": "robust", "lr": 1e-3, "ema": 0.99}


@pytest.mark.parametrize("line", ["--dataset-path d --epochs 7", "--dataset-path=d --epochs 7"])
def test_changed_defaults_hold_for_what_is_not_given_on_plain_and_other_lines(line):
    for given, lr in (("", 1e-3), (" --lr 5e-4", 5e-4)):
        config = parse_options(
            TrainConfig, (line + given).split(), prog="test", description="", defaults=ROBUST
        )
        assert (config.recipe, config.lr, config.ema, config.epochs) == ("robust", lr, 0.99, 7)


def test_with_changed_defaults_required_options_stay_required(capsys):
    with pytest.raises(SystemExit):
        parse_options(TrainConfig, ["--lr=1"], prog="test", description="", defaults=ROBUST)
    assert "--dataset-path" in capsys.readouterr().err
