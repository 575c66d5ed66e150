"""Mixed batches: a fixed share of each, an epoch as long as the first data set, drawn by seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.datasets import make_coco_dataset
from wristseg.data.frames import EpochBatches, TrainingFrames
from wristseg.data.labels import load_labels
from wristseg.data.mix import MixedBatches, MixedFrames
from wristseg.dataset_paths import DatasetPaths
from wristseg.preprocess import PreprocessContract


def mixed(length=20, batch_size=4, mixed_per_batch=2, mixed_length=7, **options):
    return MixedBatches(
        length,
        batch_size,
        seed=options.pop("seed", 3),
        mixed_per_batch=mixed_per_batch,
        mixed_length=mixed_length,
        **options,
    )


@pytest.mark.parametrize("epoch", [0, 5])
def test_an_epoch_is_that_of_the_first_data_set_with_frames_added_to_each_batch(epoch):
    plain, batches = EpochBatches(21, 4, seed=3), mixed(21)
    plain.set_epoch(epoch)
    batches.set_epoch(epoch)
    assert len(batches) == len(plain)
    for keys, expected in zip(batches, plain, strict=True):
        assert keys[: len(expected)] == expected
        added = keys[len(expected) :]
        assert len(added) == 2
        assert all(key[0] == epoch and 21 <= key[1] < 28 for key in added)


@pytest.mark.parametrize("mixed_length", [3, 7, 10, 500])
def test_each_mixed_frame_is_seen_as_often_as_the_others(mixed_length):
    seen = Counter(
        position for keys in mixed(mixed_length=mixed_length) for _, position in keys[4:]
    )
    counts = [seen[20 + i] for i in range(mixed_length)]
    assert sum(counts) == 10
    assert max(counts) - min(counts) <= 1


def test_epochs_and_seeds_draw_other_frames_and_the_same_ones_again():
    def draw(seed, epoch):
        batches = mixed(mixed_length=500, seed=seed)
        batches.set_epoch(epoch)
        return [keys[4:] for keys in batches]

    assert draw(1, 0) == draw(1, 0)
    assert [p for keys in draw(1, 0) for _, p in keys] != [
        p for keys in draw(1, 1) for _, p in keys
    ]
    assert draw(1, 0) != draw(2, 0)


def test_two_processes_see_together_what_one_sees():
    alone = list(mixed(batch_size=4, mixed_per_batch=2))
    halves = [
        list(mixed(batch_size=2, mixed_per_batch=1, rank=rank, world_size=2)) for rank in (0, 1)
    ]
    for whole, left, right in zip(alone, *halves, strict=True):
        assert Counter(whole) == Counter(left + right)


def test_frames_of_both_data_sets_are_found_under_one_count(tmp_path):
    sets = [
        load_labels(DatasetPaths(make_coco_dataset(tmp_path / name, frames=count, seed=count)))
        for name, count in (("first", 4), ("second", 3))
    ]
    first, second = (
        TrainingFrames(
            data,
            [frame.stem for frame in data.frames],
            contract=PreprocessContract((24, 32)),
            recipe="flips",
            seed=seed,
        )
        for seed, data in enumerate(sets)
    )
    both = MixedFrames(first, second)
    assert len(both) == 7
    assert np.array_equal(both[2, 3][0], first[2, 3][0])
    assert np.array_equal(both[2, 6][1], second[2, 2][1])
    images, masks = both.batch([(0, 0), (0, 5)])
    assert images.shape == (2, 3, 24, 32)
    assert np.array_equal(masks[1].numpy(), second[0, 1][1])
