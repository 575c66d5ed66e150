"""Each lever of a recipe does in a training what it says, alone and resumed; seed has none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tests.datasets import edit_coco, make_coco_dataset
from wristseg.classes import DEFAULT_CLASSES
from wristseg.configs import TrainConfig
from wristseg.data.frames import EpochBatches
from wristseg.errors import DataError, UsageError
from wristseg.modeling.losses import soft_iou_loss
from wristseg.modeling.network import SegmentationNetwork
from wristseg.recipes import RECIPES, recipe_options
from wristseg.train.data import load_training_data
from wristseg.train.fit import train
from wristseg.train.module import EfficientViTSegModule
from wristseg.train.optimizer import ETA_MIN

pytestmark = pytest.mark.usefixtures("bare")


def content_of(config, name):
    return torch.load(config.output_dir / name, weights_only=True)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def train_in_two_parts(config, console, monkeypatch, *, stop_in, **other):
    """Train, with an interruption in the middle of an epoch and a resume."""
    step = EfficientViTSegModule.training_step

    def stop(self, batch, batch_idx):
        if self.current_epoch == stop_in and batch_idx == 1:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(EfficientViTSegModule, "training_step", stop)
        with pytest.raises(KeyboardInterrupt):
            train(config, console=console)
    return train(replace(config, resume=True, **other), console=console)


def weights_of_a_plain_loop(config):
    """The request's recipe in a dozen lines: AdamW, cosine, soft IoU, flips, nothing else."""
    torch.manual_seed(config.seed)
    data = load_training_data(config, split_file=None)
    network = SegmentationNetwork(6).to(memory_format=torch.channels_last).train()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.lr, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs, ETA_MIN)
    batches = EpochBatches(len(data.train), config.batch_size, seed=config.seed)
    for epoch in range(config.epochs):
        batches.set_epoch(epoch)
        for keys in batches:
            images, masks = data.train.batch(keys)
            optimizer.zero_grad()
            soft_iou_loss(network.coarse_logits(images), masks).backward()
            optimizer.step()
        schedule.step()
    return network.state_dict()


def test_the_seed_recipe_is_the_plain_loop_to_the_bit(config, console):
    train(config, console=console)
    assert equal(content_of(config, "last.ckpt")["state_dict"], weights_of_a_plain_loop(config))


def test_the_average_is_that_of_the_weights_after_each_step(config, console, monkeypatch):
    """By hand, of one weight: a copy, then as much of the old as the steps so far allow."""
    seen = []
    end = EfficientViTSegModule.on_train_batch_end

    def note(self, *args):
        seen.append(self.network.seg_head.bias.detach().clone())
        return end(self, *args)

    monkeypatch.setattr(EfficientViTSegModule, "on_train_batch_end", note)
    train(replace(config, ema=0.35), console=console)
    average = seen[0]
    assert len(seen) == 6
    for decay, weight in zip((2 / 11, 3 / 12, 4 / 13, 0.35, 0.35), seen[1:], strict=True):
        average = decay * average + (1 - decay) * weight
    last = content_of(config, "last.ckpt")
    torch.testing.assert_close(last["state_dict"]["seg_head.bias"], average)
    assert torch.equal(last["current_model_state"]["network.seg_head.bias"], seen[-1])
    assert not torch.equal(average, seen[-1])


def test_the_average_is_what_is_validated(config, console):
    from wristseg.metrics import confusion_matrix
    from wristseg.modeling.checkpoint import load_network

    config = replace(config, ema=0.5, lr=5e-3)
    summary = train(config, console=console)
    network, _ = load_network(summary.best_checkpoint)
    data = load_training_data(config, split_file=config.output_dir / "split.json")
    images, masks = data.val.batch([(0, i) for i in range(len(data.val))])
    with torch.no_grad():
        predicted = network(images).argmax(1).to(torch.uint8)
    said = content_of(config, "best.ckpt")["wristseg"]["metrics"]["confusion_matrix"]
    difference = confusion_matrix(predicted.numpy(), masks.numpy(), 6) - said
    assert abs(difference).sum() <= 0.002 * masks.numel()


def test_averaging_changes_nothing_in_what_is_trained(config, console):
    averaged = replace(config, ema=0.9, output_dir=config.output_dir / "ema")
    train(config, console=console)
    train(averaged, console=console)
    plain = content_of(config, "last.ckpt")["state_dict"]
    current = content_of(averaged, "last.ckpt")["current_model_state"]
    assert equal({f"network.{name}": value for name, value in plain.items()}, current)


@pytest.mark.parametrize(
    "levers",
    [
        pytest.param({"ema": 0.8}, id="ema", marks=pytest.mark.slow),
        pytest.param({"warmup": 2}, id="warmup", marks=pytest.mark.slow),
        pytest.param(
            {"lr_backbone": 0.1, "loss": "compound", "unlabeled": "ignore"},
            id="parts",
            marks=pytest.mark.slow,
        ),
        pytest.param(recipe_options("robust", warmup=1, ema=0.9, paste=0.3), id="robust"),
    ],
)
@pytest.mark.parametrize("stop_in", [1, 2])
def test_f16_a_run_with_levers_is_resumed_exactly(config, console, monkeypatch, levers, stop_in):
    whole = replace(config, epochs=4, output_dir=config.output_dir / "whole", **levers)
    parts = replace(whole, output_dir=config.output_dir / "parts")
    train(whole, console=console)
    summary = train_in_two_parts(parts, console, monkeypatch, stop_in=stop_in)
    assert summary.epochs == 4
    for name in ("best.ckpt", "last.ckpt"):
        one, other = content_of(whole, name), content_of(parts, name)
        assert equal(one["state_dict"], other["state_dict"])
        assert one["wristseg"]["metrics"] == other["wristseg"]["metrics"]
        if "current_model_state" in one:
            assert equal(one["current_model_state"], other["current_model_state"])


def test_a_run_is_not_resumed_with_other_levers(config, console, monkeypatch):
    with pytest.raises(UsageError, match=r"--ema 0.5 \(the run: None\)"):
        train_in_two_parts(config, console, monkeypatch, stop_in=1, ema=0.5)


def test_config_yaml_and_checkpoint_say_what_the_recipe_came_to(config, console):
    train(replace(config, **recipe_options("robust", warmup=1, lr=7e-4)), console=console)
    said = content_of(config, "best.ckpt")["wristseg"]["config"]
    written = yaml.safe_load((config.output_dir / "config.yaml").read_text())
    assert said == written
    assert (said["recipe"], said["lr"], said["warmup"]) == ("robust", 7e-4, 1)
    assert said["kernel_lr"] == RECIPES["robust"].kernel_lr
    assert said["shadows"] == RECIPES["robust"].shadows


def test_the_defaults_are_the_recipe_seed(tmp_path):
    assert TrainConfig(tmp_path) == TrainConfig(tmp_path, **recipe_options("seed"))


# --- mixing --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second_dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mix") / "rendered"
    names = [f"render_{i}" for i in range(5)]
    return make_coco_dataset(folder, frames=5, names=names, seed=9)


def test_mixing_is_recorded_and_leaves_split_and_validation_alone(config, console, second_dataset):
    config = replace(config, mix=second_dataset, mix_share=0.5)
    train(config, console=console)
    said = content_of(config, "best.ckpt")["wristseg"]
    data = load_training_data(config, split_file=config.output_dir / "split.json")
    assert said["mix_sha256"] == data.mix.sha256
    assert said["split"]["val"] == list(data.split.val)
    assert not any(stem.startswith("render_") for stem in said["split"]["train"])
    assert len(data.val) == len(data.split.val)
    assert "1 of 2 frames a batch from the 5 of" in console.file.getvalue()
    # Six frames, one of them per batch of two.
    assert content_of(config, "last.ckpt")["global_step"] == 2 * 6


def test_f16_a_mixed_run_is_resumed_exactly(config, console, monkeypatch, second_dataset):
    config = replace(config, epochs=3, mix=second_dataset, mix_share=0.5)
    whole = replace(config, output_dir=config.output_dir / "whole")
    parts = replace(config, output_dir=config.output_dir / "parts")
    train(whole, console=console)
    train_in_two_parts(parts, console, monkeypatch, stop_in=1)
    one, other = (content_of(run, "last.ckpt")["state_dict"] for run in (whole, parts))
    assert equal(one, other)


def test_f11_a_validation_frame_is_not_mixed_into_training(config, console):
    with pytest.raises(DataError, match="the same image in validation and in --mix"):
        train(replace(config, mix=config.dataset_path, mix_share=0.5), console=console)
    assert not config.output_dir.exists()


def test_other_classes_are_not_mixed(config, console, second_dataset, tmp_path):
    folder = shutil.copytree(second_dataset, tmp_path / "renamed")
    table = DEFAULT_CLASSES.to_dict()
    text = yaml.safe_dump(table).replace("cube", "brick")
    (folder / "dataset.yaml").write_text(text)
    edit_coco(folder, lambda coco: coco["categories"][2].update(name="brick"))
    with pytest.raises(DataError, match=r"brick.*same names in the same order"):
        train(replace(config, mix=folder, mix_share=0.5), console=console)


# --- options that cannot work --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ema": 1.0}, "--ema 1.0: expected between 0 and 1"),
        ({"warmup": -1}, "--warmup -1"),
        ({"lr_backbone": 0.0}, "--lr-backbone 0.0"),
        ({"shadows": 1.5}, "--shadows 1.5: expected 0 to 1"),
        ({"paste": -0.1}, "--paste -0.1"),
        ({"mix_share": 1.0}, "--mix-share 1.0"),
        ({"mix": Path("m"), "mix_share": 0.1}, "--mix-share 0.1, --batch-size 2"),
    ],
)
def test_a_lever_that_cannot_work_is_refused_by_name(config, options, message):
    with pytest.raises(UsageError, match=message):
        replace(config, **options)
