"""``wristseg info`` tells what a checkpoint is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.artifacts import sha256_of
from wristseg.cli.info import main
from wristseg.packed_file import model_path, read_packed


@pytest.fixture(scope="module")
def network():
    return randomised_network()


@pytest.fixture(scope="module")
def own_file(tmp_path_factory, network):
    return save_own_checkpoint(
        tmp_path_factory.mktemp("run") / "best.ckpt",
        network,
        split={"train": [f"{i}.jpg" for i in range(139)], "val": ["x.jpg"] * 24},
        metrics={"val/iou": 0.8125, "val/iou_cube": float("nan")},
        observation=None,
    )


def test_table_shows_what_a_person_looks_for(capsys, own_file):
    assert main([str(own_file)]) == 0
    printed = capsys.readouterr().out
    for text in (
        sha256_of(own_file),
        "846,838",
        "3 cube",
        "139 train, 24 val",
        "size_hw: 84, 96",
        "imagenet",
        "val/iou: 0.8125",
        "c0ffee",
        "torch: 2.10.0",
    ):
        assert text in printed, text


def test_json_is_strict_and_keeps_the_numbers(capsys, own_file):
    assert main([str(own_file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert facts["sha256"] == sha256_of(own_file)
    assert facts["metrics"] == {"val/iou": 0.8125, "val/iou_cube": None}
    assert facts["seed"] == 0
    assert len(facts["split"]["val"]) == 24


def test_file_of_the_plain_script_says_what_it_does_not_say(capsys, tmp_path, network):
    path = save_plain_checkpoint(tmp_path / "best.ckpt", network, dataset=np.str_("d"))
    assert main([str(path)]) == 0
    printed = capsys.readouterr().out
    assert "a plain Lightning script" in printed
    assert "not said" in printed


def test_f15_cut_file_ends_with_3(capsys, tmp_path, own_file):
    path = tmp_path / "cut.ckpt"
    path.write_bytes(own_file.read_bytes()[:50_000])
    assert main([str(path)]) == 3
    assert "cut.ckpt: is not a whole file" in capsys.readouterr().err


def test_commands_and_seeds_can_be_copied(capsys):
    assert main(["sim"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    made = read_packed(model_path("sim")).made
    short = [command for command in made["commands"] if len(command) < 150]
    assert short
    assert set(short) <= set(lines)
    assert any("rendering 1 to 5, 11 to 13, 21 to 22" in line for line in lines)
    assert not any("1,000" in line for line in lines if "seed" in line)
