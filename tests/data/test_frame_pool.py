"""Frames in a device's memory: what the network sees at each size, in an order without end."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from tests.datasets import make_coco_dataset
from wristseg.data.frame_pool import FramePool, endless_batches
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.preprocess import PreprocessContract

SIZES = [(48, 64), (24, 24)]


def pool_of(*datasets):
    sets = [(data, [frame.stem for frame in data.frames]) for data in datasets]
    return FramePool(dict.fromkeys(SIZES, sets), device=torch.device("cpu"))


def test_frames_of_all_data_sets_are_kept_at_every_size_as_the_network_sees_them(tmp_path):
    first, second = (
        load_labels(DatasetPaths(make_coco_dataset(tmp_path / name, frames=count, seed=count)))
        for name, count in (("first", 3), ("second", 2))
    )
    pool = pool_of(first, second)
    for size in SIZES:
        assert pool.count(size) == 5
        contract = PreprocessContract(size)
        images, masks = pool.batch(size, np.array([4, 0]))
        for number, (data, frame) in enumerate(
            [(second, second.frames[1]), (first, first.frames[0])]
        ):
            assert np.array_equal(images[number].numpy(), contract.resize_frame(data.image(frame)))
            assert np.array_equal(masks[number].numpy(), contract.resize_mask(data.mask(frame)))


def test_a_size_has_the_frames_that_are_wanted_at_it_alone(tmp_path):
    first, second = (
        load_labels(DatasetPaths(make_coco_dataset(tmp_path / name, frames=3, seed=seed)))
        for seed, name in enumerate(("first", "second"))
    )
    large, small = SIZES
    stems = [frame.stem for frame in first.frames]
    wanted = {large: [(second, stems[:2])], small: [(first, stems[1:]), (second, stems[:1])]}
    pool = FramePool(wanted, device=torch.device("cpu"))
    assert [pool.count(size) for size in SIZES] == [2, 3]
    for size, position, data, frame in [
        (large, 1, second, second.frames[1]),
        (small, 1, first, first.frames[2]),
        (small, 2, second, second.frames[0]),
    ]:
        images, masks = pool.batch(size, np.array([position]))
        contract = PreprocessContract(size)
        assert np.array_equal(images[0].numpy(), contract.resize_frame(data.image(frame)))
        assert np.array_equal(masks[0].numpy(), contract.resize_mask(data.mask(frame)))


def test_a_damaged_image_is_named(tmp_path):
    folder = make_coco_dataset(tmp_path / "data", frames=3)
    data = load_labels(DatasetPaths(folder))
    broken = next(folder.rglob(f"{data.frames[1].stem}.*g"))
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(DataError, match=data.frames[1].stem):
        pool_of(data)


def test_batches_go_through_all_frames_before_one_comes_again():
    drawn = np.concatenate(list(islice(endless_batches(10, 4, seed=1), 15)))
    for start in range(0, 60, 10):
        assert sorted(drawn[start : start + 10]) == list(range(10))
    assert not np.array_equal(drawn[:10], drawn[10:20])


def test_a_batch_may_be_larger_than_the_number_of_frames():
    batch = next(endless_batches(3, 8, seed=1))
    assert np.bincount(batch).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


@pytest.mark.parametrize(("length", "batch_size"), [(0, 4), (4, 0)])
def test_batches_of_nothing_are_an_error(length, batch_size):
    with pytest.raises(ValueError, match=f"batches of {batch_size} from {length} frames"):
        next(endless_batches(length, batch_size, seed=1))
