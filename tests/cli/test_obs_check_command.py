"""``wristseg obs-check`` shows the stages, writes golden files and fails on drift."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.cli.obs_check import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_plain_checkpoint(tmp_path_factory.mktemp("run") / "best.ckpt", randomised_network())


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("frames"), np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(3)]
    for path in paths:
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(coarse).resize((80, 60)).save(path)
    return [str(path) for path in paths]


def test_every_stage_is_shown_with_shape_type_and_histogram(capsys, checkpoint, frames):
    assert main([str(checkpoint), "--frame", *frames]) == 0
    printed = capsys.readouterr().out
    assert "default: the file is older than the contract and has none" in printed
    for text in (
        "frame        (3, 60, 80, 3) uint8",
        "mask         (3, 60, 80) uint8",
        "resized      (3, 84, 84) uint8",
        "mapped       (3, 84, 84) uint8",
        "channels     (3, 1, 84, 84) uint8",
        "observation  (3, 3, 1, 84, 84) uint8",
        "stack_order: oldest-first",
    ):
        assert text in printed, text


def test_golden_file_of_the_same_model_is_equal(capsys, tmp_path, checkpoint, frames):
    golden = str(tmp_path / "g.npz")
    assert main([str(checkpoint), "--frame", *frames, "--write-golden", golden]) == 0
    assert main([str(checkpoint), "--golden", golden]) == 0
    assert f"equal to {golden}" in capsys.readouterr().out
    assert main([str(checkpoint), "--golden", golden, "--frame", *frames]) == 0


def test_frames_in_another_order_are_drift(capsys, tmp_path, checkpoint, frames):
    golden = str(tmp_path / "g.npz")
    assert main([str(checkpoint), "--frame", *frames, "--write-golden", golden]) == 0
    assert main([str(checkpoint), "--frame", *frames[::-1], "--golden", golden]) == 3
    assert "frame: (3, 60, 80, 3), not the pixels" in capsys.readouterr().err


def test_another_model_is_drift_within_no_tolerance(capsys, tmp_path, checkpoint, frames):
    import torch

    golden, network = str(tmp_path / "g.npz"), randomised_network()
    assert main([str(checkpoint), "--frame", *frames, "--write-golden", golden]) == 0
    state = {name: value.clone() for name, value in network.state_dict().items()}
    state["seg_head.bias"] = torch.flip(state["seg_head.bias"], dims=(0,)) + 3 * torch.randn(6)
    other = type(network)(6)
    other.load_state_dict(state)
    path = save_plain_checkpoint(tmp_path / "other.ckpt", other)
    assert main([str(path), "--golden", golden]) == 3
    said = capsys.readouterr()
    assert "other.ckpt has drifted from" in said.err
    assert "of the pixels have another class" in said.err
    assert "the golden file is of another model file" in said.out


def test_another_contract_is_drift(capsys, tmp_path, checkpoint, frames):
    golden, contract = str(tmp_path / "g.npz"), tmp_path / "contract.yaml"
    contract.write_text("stack: 4\n")
    assert main([str(checkpoint), "--frame", *frames, "--write-golden", golden]) == 0
    options = ["--golden", golden, "--observation", str(contract)]
    assert main([str(checkpoint), *options]) == 3
    assert "contract: stack is 4, the golden file's is 3" in capsys.readouterr().err


def test_class_map_that_does_not_fit_ends_with_3(capsys, tmp_path, checkpoint, frames):
    contract = tmp_path / "contract.yaml"
    contract.write_text("class_map: {unlabeled: 0, cube: 1}\n")
    options = ["--frame", frames[0], "--observation", str(contract)]
    assert main([str(checkpoint), *options]) == 3
    assert f"{contract}: class_map lacks background, table" in capsys.readouterr().err


def test_frames_of_two_sizes_are_refused(capsys, tmp_path, checkpoint, frames):
    Image.new("RGB", (64, 48)).save(tmp_path / "small.png")
    assert main([str(checkpoint), "--frame", frames[0], str(tmp_path / "small.png")]) == 3
    assert "small.png is 48x64, 0.png is 60x80" in capsys.readouterr().err


def test_frame_that_was_divided_by_255_is_noted(capsys, tmp_path, checkpoint):
    Image.new("RGB", (64, 48), (1, 0, 1)).save(tmp_path / "dark.png")
    assert main([str(checkpoint), "--frame", str(tmp_path / "dark.png")]) == 0
    assert "was it divided by 255 before?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--frame and --golden: give at least one"),
        (["--golden", "a.npz", "--write-golden", "b.npz"], "compare or write, not both"),
        (["--golden", "a.npz", "--tolerance", "1"], "--tolerance 1.0"),
        (["--frame", "a.png", "--write-golden", "a.txt"], "--write-golden a.txt: expected a name"),
    ],
)
def test_options_that_cannot_work_end_with_2(capsys, checkpoint, options, message):
    assert main([str(checkpoint), *options]) == 2
    assert message in capsys.readouterr().err
