"""A training leaves a whole run folder, can be stopped and resumed, and stops when it diverges."""

from __future__ import annotations

import csv
import functools
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from tests.datasets import edit_coco, make_coco_dataset
from wristseg.artifacts import sha256_of
from wristseg.data.frames import EpochBatches, TrainingFrames
from wristseg.data.labels import load_labels
from wristseg.data.split import Split
from wristseg.errors import CheckpointError, DataError, TrainingError, UsageError
from wristseg.metrics import mean_iou
from wristseg.modeling.checkpoint import load_network
from wristseg.observation import ObservationContract
from wristseg.train.data import check_sides, load_training_data
from wristseg.train.fit import train
from wristseg.train.module import EfficientViTSegModule
from wristseg.train.run_folder import RUN_FILES


def weights_of(path):
    return torch.load(path, weights_only=True)["state_dict"]


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def interrupt_in_epoch(monkeypatch, epoch, error=KeyboardInterrupt):
    step = EfficientViTSegModule.training_step

    def stop(self, batch, batch_idx):
        if self.current_epoch == epoch and batch_idx == 1:
            raise error
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EfficientViTSegModule, "training_step", stop)


# --- what a run leaves ---------------------------------------------------------------------------


def test_a_run_folder_holds_what_the_design_lists_and_nothing_half_written(finished_run):
    _, summary, _ = finished_run
    names = {path.name for path in summary.run_dir.iterdir()}
    assert names == (set(RUN_FILES) - {"report.html"}) | {".lock"}
    assert list((summary.run_dir / "tensorboard").glob("events.out.tfevents.*"))


def test_no_picture_is_empty(finished_run):
    _, summary, _ = finished_run
    for name in ("results.png", "confusion_matrix.png", "train_batch0.jpg", "val_pred.jpg"):
        assert np.asarray(Image.open(summary.run_dir / name).convert("L")).std() > 5, name


def test_tables_and_metrics_say_the_same_as_the_best_checkpoint(finished_run):
    _, summary, _ = finished_run
    folder = summary.run_dir
    said = torch.load(folder / "best.ckpt", weights_only=True)["wristseg"]["metrics"]
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = rows_of(folder / "results.csv")
    classes = rows_of(folder / "per_class.csv")
    assert said["val/iou"] == metrics["val/iou"] == summary.val_iou
    assert float(rows[said["epoch"]]["val/iou"]) == pytest.approx(summary.val_iou)
    assert max(float(row["val/iou"]) for row in rows) == pytest.approx(summary.val_iou)
    assert said["val/iou"] == mean_iou(np.array(said["confusion_matrix"]))
    assert metrics["best_ckpt_sha256"] == sha256_of(folder / "best.ckpt")
    assert {row["class"]: float(row["iou"]) for row in classes} == pytest.approx(
        summary.per_class_iou
    )


def test_the_best_checkpoint_predicts_with_the_val_iou_it_states(finished_run):
    config, summary, _ = finished_run
    from wristseg.metrics import confusion_matrix

    network, _ = load_network(summary.best_checkpoint)
    data = load_training_data(config, split_file=summary.run_dir / "split.json")
    total = np.zeros((6, 6), np.int64)
    for position in range(len(data.val)):
        images, masks = data.val.batch([(0, position)])
        with torch.no_grad():
            predicted = network(images).argmax(1).to(torch.uint8)
        total += confusion_matrix(predicted.numpy(), masks.numpy(), 6)
    assert mean_iou(total) == pytest.approx(summary.val_iou, abs=1e-3)


def test_checkpoints_load_with_weights_only_and_carry_their_origin(finished_run):
    config, summary, _ = finished_run
    for name in ("best.ckpt", "last.ckpt"):
        content = torch.load(summary.run_dir / name, weights_only=True)
        said = content["wristseg"]
        assert said["weights_source"] == "none"
        assert said["preprocess"]["size_hw"] == [32, 48]
        assert said["observation"] == ObservationContract().to_dict()
        assert said["seed"] == config.seed
        assert said["config"]["lr"] == config.lr
        assert len(said["dataset_sha256"]) == 64
        assert {"wristseg", "python", "torch", "lightning"} <= said["versions"].keys()
        assert content["hyper_parameters"] == {
            "num_classes": 6,
            "lr": 1e-3,
            "weight_decay": 1e-4,
            "img_height": 32,
            "img_width": 48,
            "loss_type": "iou",
        }
        assert {key.split(".")[0] for key in content["state_dict"]} == {
            "backbone",
            "lateral_convs",
            "output_convs",
            "seg_head",
        }


def test_config_yaml_opens_with_the_command_and_reads_back(finished_run):
    config, summary, _ = finished_run
    text = (summary.run_dir / "config.yaml").read_text()
    assert text.startswith("# ")
    assert yaml.safe_load(text)["batch_size"] == config.batch_size


def test_the_split_stands_in_split_json_and_in_the_checkpoint(finished_run):
    _, summary, _ = finished_run
    split = json.loads((summary.run_dir / "split.json").read_text())
    said = torch.load(summary.best_checkpoint, weights_only=True)["wristseg"]["split"]
    assert (len(split["train"]), len(split["val"])) == (6, 2)
    assert said == {"train": split["train"], "val": split["val"]}


def test_progress_is_one_line_per_epoch_where_there_is_no_terminal(finished_run):
    *_, printed = finished_run
    lines = [line for line in printed.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    assert "val/iou" in lines[0]
    assert lines[0].endswith("best")
    assert "6 training and 2 validation frames" in printed
    assert "have a neighbour of their recording in training" in printed


def test_training_lowers_the_loss(finished_run):
    _, summary, _ = finished_run
    rows = rows_of(summary.run_dir / "results.csv")
    assert float(rows[-1]["train/loss"]) < float(rows[0]["train/loss"])


def test_results_csv_says_the_learning_rate_that_the_epoch_was_trained_with(finished_run):
    config, summary, _ = finished_run
    rates = [float(row["lr"]) for row in rows_of(summary.run_dir / "results.csv")]
    half = (config.lr - 1e-6) / 2
    cosine = [1e-6 + half * (1 + math.cos(math.pi * epoch / 3)) for epoch in range(3)]
    assert rates == pytest.approx(cosine)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "num_workers", [0, pytest.param(1, marks=pytest.mark.slow)], ids=["thread", "process"]
)
def test_each_epoch_is_shuffled_and_augmented_anew(config, console, monkeypatch, num_workers):
    batches = []
    step = EfficientViTSegModule.training_step

    def note(self, batch, batch_idx):
        batches.append((self.current_epoch, batch[0].clone()))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EfficientViTSegModule, "training_step", note)
    train(replace(config, epochs=3, num_workers=num_workers), console=console)
    data = load_training_data(config, split_file=config.output_dir / "split.json")
    expected = EpochBatches(len(data.train), config.batch_size, seed=config.seed)
    for epoch in range(3):
        expected.set_epoch(epoch)
        seen = [images for number, images in batches if number == epoch]
        for images, keys in zip(seen, expected, strict=True):
            assert torch.equal(images, data.train.batch(keys)[0])
    orders = [torch.cat([images for n, images in batches if n == epoch]) for epoch in range(3)]
    assert not torch.equal(orders[0], orders[1])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "options", [{"loss": "ce"}, {"augment": "full"}, {"crop": "center-square"}]
)
def test_the_other_recipes_train_as_well(config, console, options):
    summary = train(replace(config, epochs=1, **options), console=console)
    assert 0 < summary.val_iou < 1


@pytest.mark.tried(3)
@pytest.mark.usefixtures("bare")
def test_f30_the_same_seed_gives_the_same_weights_three_times(config, console):
    runs = [
        train(replace(config, epochs=1, output_dir=config.output_dir / name), console=console)
        for name in "abc"
    ]
    first, *others = (weights_of(run.run_dir / "last.ckpt") for run in runs)
    assert all(equal(first, other) for other in others)
    other_seed = train(replace(config, epochs=1, seed=1), console=console)
    assert not equal(first, weights_of(other_seed.run_dir / "last.ckpt"))


@pytest.mark.usefixtures("bare")
def test_early_stopping_ends_a_run_that_gets_no_better(config, console, monkeypatch):
    monkeypatch.setattr(EfficientViTSegModule, "on_validation_epoch_end", log_same_iou)
    summary = train(replace(config, epochs=50, patience=2), console=console)
    assert summary.epochs == 3
    assert summary.best_epoch == 0


def log_same_iou(self):
    self.log_dict({"val/iou": 0.25, "val/loss": 0.5})


# --- earlier runs and second jobs ----------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_an_earlier_run_moves_into_the_archive_and_nothing_else_does(config, console):
    first = train(replace(config, epochs=1), console=console)
    before = sha256_of(first.best_checkpoint)
    (config.output_dir / "notes.txt").write_text("mine")
    second = train(replace(config, epochs=1, seed=3), console=console)
    assert second.archived is not None
    assert second.archived.parent == config.output_dir / "archive"
    assert sha256_of(second.archived / "best.ckpt") == before
    assert sha256_of(second.best_checkpoint) != before
    assert (config.output_dir / "notes.txt").read_text() == "mine"
    assert f"earlier run moved to {second.archived}" in console.file.getvalue()
    assert not list(config.output_dir.glob("best-*"))


@pytest.mark.usefixtures("bare")
def test_a_bad_data_set_leaves_an_earlier_run_where_it_is(config, console, tmp_path):
    train(replace(config, epochs=1), console=console)
    before = sorted(path.name for path in config.output_dir.iterdir())
    bad = make_coco_dataset(tmp_path / "bad")
    edit_coco(bad, lambda table: table["annotations"][0].update(image_id=99))
    with pytest.raises(DataError):
        train(replace(config, dataset_path=bad), console=console)
    assert sorted(path.name for path in config.output_dir.iterdir()) == before


# --- interrupting and resuming -------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_f16_a_resumed_run_equals_an_uninterrupted_one(config, console, monkeypatch):
    whole = replace(config, epochs=3, augment="full", output_dir=config.output_dir / "whole")
    parts = replace(whole, output_dir=config.output_dir / "parts")
    train(whole, console=console)
    with monkeypatch.context() as patch:
        interrupt_in_epoch(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(parts, console=console)
    assert "the same command with --resume goes on" in console.file.getvalue()
    summary = train(replace(parts, resume=True), console=console)
    assert summary.epochs == 3
    for name in ("last.ckpt", "best.ckpt"):
        assert equal(weights_of(whole.output_dir / name), weights_of(parts.output_dir / name))
    rows = [
        [{**row, "seconds": ""} for row in rows_of(run.output_dir / "results.csv")]
        for run in (whole, parts)
    ]
    assert rows[0] == rows[1]
    assert not (parts.output_dir / "archive").exists()


@pytest.mark.usefixtures("bare")
def test_f15_a_truncated_last_checkpoint_falls_back_to_best_with_a_warning(
    config, console, monkeypatch
):
    interrupted(config, console, monkeypatch)
    last = config.output_dir / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-5000])
    summary = train(replace(config, resume=True), console=console)
    assert "warning" in console.file.getvalue()
    assert f"going on from {config.output_dir / 'best.ckpt'}" in console.file.getvalue()
    assert summary.epochs == config.epochs


@pytest.mark.usefixtures("bare")
def test_f15_with_both_checkpoints_damaged_the_run_is_left_alone(config, console, monkeypatch):
    interrupted(config, console, monkeypatch)
    for name in ("last.ckpt", "best.ckpt"):
        (config.output_dir / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(replace(config, resume=True), console=console)


def interrupted(config, console, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_in_epoch(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, console=console)


def test_there_is_nothing_to_resume_in_an_empty_folder(config, console):
    with pytest.raises(CheckpointError, match=r"no such file.*train without --resume"):
        train(replace(config, resume=True), console=console)


def test_a_finished_run_is_not_resumed(finished_run, console, tmp_path):
    config, *_ = finished_run
    folder = shutil.copytree(config.output_dir, tmp_path / "copy")
    (folder / "report.html").write_text("")
    with pytest.raises(UsageError, match="is finished"):
        train(replace(config, output_dir=folder, resume=True), console=console)


def test_a_run_stopped_before_its_report_is_resumed_without_training(
    finished_run, console, monkeypatch
):
    config, summary, _ = finished_run
    monkeypatch.setattr(
        "wristseg.train.fit.load_training_data", lambda *_, **__: pytest.fail("trained")
    )
    resumed = train(replace(config, resume=True), console=console)
    assert replace(resumed, seconds=summary.seconds) == summary
    assert "only its report is missing" in console.file.getvalue()


# --- speed that must change no number ------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_frames_from_the_mapped_file_train_the_same_weights(config, console):
    for name, cache_gib in (("memory", 1.0), ("file", 0.0)):
        folder = config.output_dir / name
        train(replace(config, output_dir=folder, cache_gib=cache_gib), console=console)
        assert not list(folder.parent.glob(".wristseg_frames_*"))
    weights = [weights_of(config.output_dir / name / "last.ckpt") for name in ("memory", "file")]
    assert equal(*weights)


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
def test_a_compiled_training_leaves_plain_names_and_nearly_the_same_weights(
    config, console, monkeypatch
):
    translate = functools.partial(torch.compile, backend="eager")  # names do not depend on it
    monkeypatch.setattr("torch.compile", translate)
    for name, compiled in (("eager", False), ("compiled", True)):
        folder = config.output_dir / name
        train(replace(config, output_dir=folder, compile=compiled), console=console)
    weights = [weights_of(config.output_dir / n / "last.ckpt") for n in ("eager", "compiled")]
    assert list(weights[0]) == list(weights[1])
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-3, atol=1e-4)


def test_a_file_of_a_compiled_module_loads(finished_run, tmp_path):
    _, summary, _ = finished_run
    content = torch.load(summary.best_checkpoint, weights_only=True)
    plain = content["state_dict"]
    content["state_dict"] = {f"network._orig_mod.{name}": plain[name] for name in plain}
    module = EfficientViTSegModule(6)
    module.on_load_checkpoint(content)
    module.load_state_dict(content["state_dict"])
    assert equal(module.network.state_dict(), plain)


@pytest.mark.usefixtures("bare")
def test_a_run_is_resumed_with_its_own_options(config, console, monkeypatch):
    interrupted(config, console, monkeypatch)
    with pytest.raises(
        UsageError, match=r"--batch-size 4 \(the run: 2\), --lr 0.1 \(the run: 0.001\)"
    ):
        train(replace(config, resume=True, lr=0.1, batch_size=4), console=console)


@pytest.mark.usefixtures("bare")
def test_a_run_is_not_resumed_on_a_changed_data_set(config, console, monkeypatch, tmp_path):
    own = replace(config, dataset_path=make_coco_dataset(tmp_path / "own", frames=8))
    interrupted(own, console, monkeypatch)
    edit_coco(own.dataset_path, lambda table: table["info"].update(description="changed"))
    with pytest.raises(DataError, match="the data set has changed since the run began"):
        train(replace(own, resume=True), console=console)


# --- divergence ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("epoch", [0, 1])
def test_f18_a_loss_that_is_not_finite_stops_the_run_and_is_never_saved(
    config, console, monkeypatch, value, epoch
):
    step = EfficientViTSegModule.training_step

    def diverge(self, batch, batch_idx):
        if self.current_epoch == epoch:
            self.network.seg_head.bias.data[0] = value
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EfficientViTSegModule, "training_step", diverge)
    with pytest.raises(TrainingError, match=f"epoch {epoch}, step 0: the loss is nan"):
        train(config, console=console)
    saved = [config.output_dir / name for name in ("best.ckpt", "last.ckpt")]
    assert [path.exists() for path in saved] == [epoch > 0] * 2
    for path in saved[: 2 * epoch]:
        assert all(torch.isfinite(value).all() for value in weights_of(path).values())


@pytest.mark.usefixtures("bare")
def test_f18_weights_that_are_not_finite_are_never_saved(config, console, monkeypatch):
    def poison(self):
        self.network.seg_head.bias.data[0] = float("inf")
        self.log_dict({"val/iou": 0.9, "val/loss": 0.5})

    monkeypatch.setattr(EfficientViTSegModule, "on_validation_epoch_end", poison)
    with pytest.raises(TrainingError, match=r"1 weights are not finite.*seg_head.bias"):
        train(config, console=console)
    assert not (config.output_dir / "best.ckpt").exists()


@pytest.mark.usefixtures("bare")
def test_f18_input_that_is_not_finite_stops_the_run(config, console, monkeypatch):
    collate = TrainingFrames.collate

    def spoiled(self, frames):
        images, masks = collate(self, frames)
        images[0, 0, 0, 0] = float("nan")
        return images, masks

    monkeypatch.setattr(TrainingFrames, "collate", spoiled)
    with pytest.raises(TrainingError, match="epoch 0, step 0: the loss is nan"):
        train(config, console=console)
    assert not (config.output_dir / "best.ckpt").exists()


# --- what is refused before anything is written --------------------------------------------------


def test_num_classes_must_be_that_of_the_class_table(config, console):
    with pytest.raises(UsageError, match="--num-classes 4: the data set's class table has 6"):
        train(replace(config, num_classes=4), console=console)
    assert not config.output_dir.exists()


def test_f11_the_same_image_on_both_sides_is_refused(config, console, tmp_path):
    folder = make_coco_dataset(tmp_path / "twins", frames=8)
    images = sorted((folder / "images/default").iterdir())
    for image in images[1:]:
        image.write_bytes(images[0].read_bytes())
    with pytest.raises(DataError, match="the same image in training and validation"):
        train(replace(config, dataset_path=folder), console=console)
    assert not config.output_dir.exists()


def test_f11_a_split_json_with_an_empty_side_is_refused(config):
    dataset = load_labels(config.dataset())
    stems = tuple(frame.stem for frame in dataset.frames)
    for split, name in ((Split(stems, ()), "val"), (Split((), stems), "train")):
        with pytest.raises(DataError, match=f"no {name} frames"):
            check_sides(dataset, split)


def test_f11_a_class_that_no_training_frame_shows_is_refused(config, console, tmp_path):
    folder = make_coco_dataset(tmp_path / "no_cube", frames=8)

    def drop_cubes(table):
        table["annotations"] = [a for a in table["annotations"] if a["category_id"] != 3]

    edit_coco(folder, drop_cubes)
    with pytest.raises(DataError, match="class cube is labelled in none of the 6 training frames"):
        train(replace(config, dataset_path=folder), console=console)
    assert not config.output_dir.exists()


def test_an_accelerator_that_is_not_there_is_a_usage_error(config, console):
    with pytest.raises(UsageError, match="--accelerator mps"):
        train(replace(config, accelerator="mps"), console=console)


def test_f32_an_output_folder_that_cannot_be_made_is_an_error_of_the_system(config, console):
    blocked = config.output_dir.parent / "file"
    blocked.write_text("")
    with pytest.raises(OSError, match="file"):
        train(replace(config, output_dir=blocked / "run"), console=console)


def test_contract_of_a_file_is_refused_before_anything_is_written(config, console, tmp_path):
    file = tmp_path / "contract.yaml"
    file.write_text("class_map: {unlabeled: 0, brick: 1}\n")
    with pytest.raises(DataError, match=r"contract.yaml: 2 problems"):
        train(replace(config, observation=file), console=console)
    assert not config.output_dir.exists()


def test_contract_of_a_file_stands_in_the_checkpoint(config, console, tmp_path, bare):
    file = tmp_path / "contract.yaml"
    file.write_text("range: spread\n")
    run = replace(config, epochs=1, observation=file)
    train(run, console=console)
    said = torch.load(run.output_dir / "best.ckpt", weights_only=True)["wristseg"]
    assert said["observation"] == ObservationContract(range="spread").to_dict()
