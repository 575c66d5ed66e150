"""``wristseg train`` and its fixed-path script: defaults, exit codes, interruption."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from tests.datasets import make_coco_dataset
from wristseg.cli.train import main
from wristseg.configs import TrainConfig
from wristseg.recipes import recipe_options


@pytest.fixture
def arguments(tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=8)
    small = ["--img-height", "32", "--img-width", "48", "--batch-size", "2", "--epochs", "1"]
    place = ["--dataset-path", str(dataset), "--output-dir", str(tmp_path / "run")]
    return [*place, *small, "--pretrained", "none", "--accelerator", "cpu"]


def test_the_defaults_are_those_of_the_request():
    config = TrainConfig(Path("d"))
    assert (config.img_height, config.img_width, config.batch_size) == (480, 640, 4)
    assert (config.epochs, config.patience, config.lr, config.loss) == (100, 20, 1e-4, "iou")
    assert (config.weight_decay, config.val_fraction) == (1e-4, 0.15)
    assert config.output_dir == Path("outputs/efficientvit_seg")


def test_a_run_ends_with_the_iou_of_each_class_and_the_next_command(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    out = capsys.readouterr().out
    best = tmp_path / "run" / "best.ckpt"
    assert all(name in out for name in ("cube", "static_finger", "moving_finger", "val/iou"))
    assert f"wristseg predict --checkpoint {best}" in out


def test_wrong_options_end_with_2_and_bad_data_with_3(arguments, tmp_path, capsys):
    assert main([*arguments, "--num-classes", "3"]) == 2
    assert "--num-classes 3" in capsys.readouterr().err
    (tmp_path / "dataset/annotations/instances_default.json").write_text("{")
    assert main(arguments) == 3
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "instances_default.json" in captured.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wrong", [["--devices", "bogus"], ["--devices", "0"], ["--seed", "-1"]])
def test_an_option_that_cannot_work_is_one_line(arguments, wrong, tmp_path, capsys):
    assert main([*arguments, *wrong]) == 2
    error = capsys.readouterr().err
    assert wrong[0] in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


# A signal may meet a finaliser, where Python drops its exception; the run must end all the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_f17_a_signal_ends_the_run_with_its_code_and_a_whole_checkpoint(
    arguments, tmp_path, capsys, number, code, word
):
    last = tmp_path / "run" / "last.ckpt"
    before = signal.getsignal(number)

    def send_when_an_epoch_is_saved():
        deadline = time.monotonic() + 120
        while not last.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        signal.raise_signal(number)

    sender = threading.Thread(target=send_when_an_epoch_is_saved)
    sender.start()
    try:
        ended = main([*arguments, "--epochs", "500", "--patience", "500"])
    finally:
        sender.join()
    assert ended == code
    err = capsys.readouterr().err
    assert word in err
    assert "--resume goes on" in err
    assert "Traceback" not in err
    assert torch.load(last, weights_only=True)["epoch"] >= 0
    assert signal.getsignal(number) == before
    assert not list(last.parent.glob(".*.tmp*"))


def test_f18_diverging_training_ends_with_3_and_one_line(arguments, tmp_path, capsys):
    assert main([*arguments, "--epochs", "3", "--lr", "1e30"]) == 3
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "not finite" in error or "the loss is nan" in error
    assert "Try a smaller --lr" in error
    for name in ("best.ckpt", "last.ckpt"):
        path = tmp_path / "run" / name
        if path.exists():
            state = torch.load(path, weights_only=True)["state_dict"]
            assert all(torch.isfinite(value).all() for value in state.values())


def test_existing_code_finds_the_module_at_the_fixed_path():
    from training.train_efficientvit_seg import EfficientViTSegModule
    from wristseg.train.module import EfficientViTSegModule as Ours

    assert EfficientViTSegModule is Ours


def parsed(monkeypatch, line):
    """The config that the stage gets."""
    seen = []
    monkeypatch.setattr("wristseg.cli.train._train", lambda config: seen.append(config) or 0)
    assert main(["--dataset-path", "d", *line.split()]) == 0
    return seen[0]


@pytest.mark.parametrize("recipe", ["--recipe robust", "--recipe=robust"])
def test_a_recipe_sets_what_is_not_given(monkeypatch, recipe):
    robust = TrainConfig(Path("d"), **recipe_options("robust"))
    assert parsed(monkeypatch, recipe) == robust
    own = parsed(monkeypatch, f"--lr 2e-4 {recipe} --kernel-lr None --augment flips")
    assert (own.lr, own.kernel_lr, own.augment) == (2e-4, None, "flips")
    assert own.shadows == robust.shadows
    assert parsed(monkeypatch, "--recipe seed") == TrainConfig(Path("d"))


def test_an_unknown_recipe_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--dataset-path", "d", "--recipe", "magic"])
    error = capsys.readouterr().err
    assert "robust" in error
    assert "seed" in error
