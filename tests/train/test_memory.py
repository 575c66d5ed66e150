"""F19: batches that do not fit into memory are split, and the step stays the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.datasets import make_coco_dataset
from tests.train.conftest import small_config
from wristseg.artifacts import sha256_of
from wristseg.data.frames import EpochBatches
from wristseg.errors import TrainingError
from wristseg.train.fit import train
from wristseg.train.memory import SplitBatches, is_out_of_memory, more_parts, part_size
from wristseg.train.module import EfficientViTSegModule

pytestmark = pytest.mark.usefixtures("bare")

_FULL = torch.OutOfMemoryError("CUDA is full")
_FRAMES = 44  # 33 of them to train on: a batch of 32, and one left over that no epoch takes


@pytest.fixture(scope="module")
def many_frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "dataset"
    return make_coco_dataset(folder, frames=_FRAMES, size_hw=(24, 32))


@pytest.fixture
def large(many_frames, tmp_path):
    config = small_config(many_frames, tmp_path / "run", epochs=1)
    return replace(config, batch_size=32, val_fraction=0.25)


def room_for(monkeypatch, frames, *, from_epoch=0, error=_FULL):
    """Let a step with more frames than this run out of memory; note the sizes that were tried."""
    step, tried = EfficientViTSegModule.training_step, []

    def bounded(self, batch, batch_idx):
        tried.append(len(batch[1]))
        if tried[-1] > frames and self.current_epoch >= from_epoch:
            raise error
        return step(self, batch, batch_idx)

    monkeypatch.setattr(EfficientViTSegModule, "training_step", bounded)
    return tried


def count_steps(monkeypatch):
    steps, step = [], torch.optim.AdamW.step

    def counted(self, closure=None):
        steps.append(1)
        return step(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    return steps


@pytest.mark.parametrize(("room", "parts"), [(31, 2), (15, 4), (7, 8)])
def test_f19_batch_is_halved_until_it_fits_and_makes_one_step_all_the_same(
    large, console, monkeypatch, room, parts
):
    tried, steps = room_for(monkeypatch, room), count_steps(monkeypatch)
    train(large, console=console)
    failed = [32 // 2**n for n in range(parts.bit_length() - 1)]
    assert tried == failed + [32 // parts] * parts
    # The first is that of the whole batch, whose forward pass, inside of it, ran out of memory.
    assert len(steps) == 2
    said = torch.load(large.output_dir / "best.ckpt", weights_only=True)["wristseg"]
    assert said["batch_parts"] == parts
    assert said["config"]["batch_size"] == 32
    message = f"out of memory; going on with each batch of 32 in {parts} parts of at most"
    assert message in console.file.getvalue()


def test_f19_single_frame_that_does_not_fit_is_a_clear_error(config, console, monkeypatch):
    tried = room_for(monkeypatch, 0, error=RuntimeError("DefaultCPUAllocator: out of memory"))
    with pytest.raises(TrainingError, match=r"single frame of 32x48 .*smaller --img-height") as end:
        train(config, console=console)
    assert end.value.exit_code == 3
    assert tried == [2, 1]
    assert not (config.output_dir / "best.ckpt").exists()


def test_f19_memory_that_runs_out_later_costs_no_epoch_that_was_saved(config, console, monkeypatch):
    tried = room_for(monkeypatch, 1, from_epoch=1)
    summary = train(replace(config, epochs=3), console=console)
    whole = [size for size in tried if size == 2]
    assert len(whole) == 3 + 1  # those of the first epoch, and the one that failed
    assert summary.epochs == 3


def test_f19_resumed_run_splits_its_batches_as_before(config, console, monkeypatch):
    one, other = (replace(config, epochs=3, output_dir=config.output_dir / n) for n in "ab")
    with monkeypatch.context() as patch:
        room_for(patch, 1)
        train(one, console=console)

    stop_after_epoch(monkeypatch, 0)
    with monkeypatch.context() as patch:
        room_for(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            train(other, console=console)
    monkeypatch.undo()
    monkeypatch.setattr("wristseg.train.fit.finish_run", lambda *args, **kwargs: None)
    tried = room_for(monkeypatch, 2)  # memory would do now
    train(replace(other, resume=True), console=console)
    assert set(tried) == {1}
    weights = [
        torch.load(run.output_dir / "last.ckpt", weights_only=True)["state_dict"]
        for run in (one, other)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def stop_after_epoch(monkeypatch, epoch):
    def stop(self):
        if self.current_epoch > epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(EfficientViTSegModule, "on_train_epoch_start", stop)


@pytest.mark.parametrize("parts", [2, 3, 5, 8])
def test_parts_hold_the_same_frames_in_the_same_order(parts):
    whole = EpochBatches(23, 5, seed=4)
    split = SplitBatches(EpochBatches(23, 5, seed=4), parts)
    for batches in (whole, split):
        batches.set_epoch(2)
    pieces = list(split)
    assert len(split) == len(pieces)
    assert [key for keys in pieces for key in keys] == [key for keys in whole for key in keys]
    assert max(map(len, pieces)) <= part_size(5, min(parts, 5))
    # All batches but the last have the same number of pieces, so that steps fall on their ends.
    per_batch = min(parts, 5)
    ends = [sum(map(len, pieces[: per_batch * n])) for n in range(1, 5)]
    assert ends == [5, 10, 15, 20]


def test_parts_double_up_to_one_frame_each(config):
    config = replace(config, batch_size=6)
    assert [more_parts(parts, config, world_size=1) for parts in (1, 2, 4)] == [2, 4, 6]
    with pytest.raises(TrainingError, match="in each of 2 processes; use a smaller --batch-size"):
        more_parts(1, config, world_size=2)


def test_other_errors_are_not_taken_for_a_lack_of_memory(config, console, monkeypatch):
    assert not is_out_of_memory(RuntimeError("shape '[3]' is invalid for input of size 2"))
    assert not is_out_of_memory(ValueError("out of memory"))
    room_for(monkeypatch, 1, error=RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        train(config, console=console)


@pytest.mark.filterwarnings("error")
def test_parts_that_all_fit_leave_the_whole_batch_alone(config, console):
    train(config, console=console)
    path = config.output_dir / "best.ckpt"
    assert torch.load(path, weights_only=True)["wristseg"]["batch_parts"] == 1
    assert len(sha256_of(path)) == 64
