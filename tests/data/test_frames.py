"""Training frames: cached, prepared ahead, and the same whoever prepares them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.datasets import make_coco_dataset
from wristseg.data.frames import EpochBatches, PrefetchLoader, TrainingFrames, make_loader
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.preprocess import PreprocessContract

CONTRACT = PreprocessContract((32, 40))


@pytest.fixture
def dataset(coco_dataset):
    return load_labels(DatasetPaths(coco_dataset))


def training_frames(dataset, *, recipe="none", contract=CONTRACT, **options):
    stems = [frame.stem for frame in dataset.frames]
    return TrainingFrames(dataset, stems, contract=contract, recipe=recipe, seed=7, **options)


def test_without_augmentation_a_frame_is_what_prediction_would_see(dataset):
    frames = training_frames(dataset)
    image, mask = frames[0, 2]
    first = dataset.frames[2]
    assert np.array_equal(image, CONTRACT.resize_frame(dataset.image(first)))
    assert np.array_equal(mask, CONTRACT.resize_mask(dataset.mask(first)))


@pytest.mark.parametrize("crop", ["none", "center-square"])
def test_full_augmentation_crops_first_and_resizes_last(dataset, crop):
    contract = PreprocessContract((24, 24), crop)
    frames = training_frames(dataset, recipe="full", contract=contract)
    for epoch in range(10):
        image, mask = frames[epoch, 0]
        assert image.shape == (24, 24, 3)
        assert mask.shape == (24, 24)


def test_images_are_decoded_once(dataset, monkeypatch):
    calls = []
    original = type(dataset).image
    monkeypatch.setattr(
        type(dataset),
        "image",
        lambda self, frame: calls.append(frame.stem) or original(self, frame),
    )
    frames = training_frames(dataset, recipe="flips")
    frames.preload()
    for epoch in range(3):
        frames.batch([(epoch, i) for i in range(len(frames))])
    assert sorted(calls) == sorted(frame.stem for frame in dataset.frames)


@pytest.mark.parametrize("recipe", ["none", "flips", "full"])
def test_frames_beyond_the_memory_bound_are_the_same_from_the_file(dataset, recipe, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    size_hw = dataset.frames[0].size_hw if recipe == "full" else (32, 40)
    two_frames = 2 * 4 * size_hw[0] * size_hw[1]
    bounded = training_frames(dataset, recipe=recipe, cache_bytes=two_frames, cache_folder=folder)
    bounded.preload()
    assert bounded.memory_bytes == two_frames
    unbounded = training_frames(dataset, recipe=recipe)
    batches = EpochBatches(len(unbounded), 4, seed=5)
    for one, other in zip(
        PrefetchLoader(bounded, batches), PrefetchLoader(unbounded, batches), strict=True
    ):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    assert list(folder.iterdir()) == []


def test_images_beyond_the_memory_bound_are_decoded_once_too(dataset, monkeypatch, tmp_path):
    frames = training_frames(dataset, cache_bytes=0, cache_folder=tmp_path)
    frames.preload()
    monkeypatch.setattr(type(dataset), "image", lambda *_: pytest.fail("decoded again"))
    frames.batch([(0, i) for i in range(len(frames))])


def test_damaged_images_are_listed_all_at_once(dataset):
    for frame in dataset.frames[:2]:
        frame.image_path.write_bytes(frame.image_path.read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        training_frames(dataset).preload()
    assert len(caught.value.problems) == 2
    assert dataset.frames[1].image_path.name in str(caught.value)


def test_a_batch_is_standardised_and_channels_last(dataset):
    frames = training_frames(dataset)
    images, masks = frames.batch([(0, 0), (0, 1)])
    assert images.shape == (2, 3, 32, 40)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert masks.shape == (2, 32, 40)
    assert masks.dtype == torch.uint8
    expected = CONTRACT.normalize(frames[0, 1][0])
    assert np.array_equal(images[1].permute(1, 2, 0).numpy(), expected)


def test_an_epoch_shows_each_frame_once_in_an_order_of_its_own():
    batches = EpochBatches(10, 4, seed=3)
    orders = []
    for epoch in range(3):
        batches.set_epoch(epoch)
        keys = [key for batch in batches for key in batch]
        assert {key[0] for key in keys} == {epoch}
        assert sorted(key[1] for key in keys) == list(range(10))
        orders.append([key[1] for key in keys])
    assert orders[0] != orders[1] != orders[2]
    batches.set_epoch(0)
    assert [key[1] for batch in batches for key in batch] == orders[0]


def test_without_a_seed_the_order_is_the_given_one_and_complete():
    batches = EpochBatches(9, 4, seed=None)
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert [key[1] for batch in batches for key in batch] == list(range(9))
    assert len(batches) == 3


def test_a_lone_last_frame_is_left_out_of_a_shuffled_epoch():
    assert [len(batch) for batch in EpochBatches(9, 4, seed=0)] == [4, 4]
    assert [len(batch) for batch in EpochBatches(3, 1, seed=0)] == [1, 1, 1]
    assert [len(batch) for batch in EpochBatches(1, 4, seed=0)] == [1]


@pytest.mark.parametrize("length", [5, 8, 10, 13])
def test_two_processes_see_together_what_one_sees(length):
    alone = list(EpochBatches(length, 4, seed=1))
    halves = [list(EpochBatches(length, 2, seed=1, rank=r, world_size=2)) for r in (0, 1)]
    assert len(halves[0]) == len(halves[1]) == len(alone)
    for whole, left, right in zip(alone, *halves, strict=True):
        assert sorted(left + right) == sorted(whole)
        assert min(len(left), len(right)) > 0


def test_a_last_batch_with_less_than_a_frame_per_process_is_left_out():
    parts = [list(EpochBatches(6, 1, seed=1, rank=rank, world_size=4)) for rank in range(4)]
    assert [len(part) for part in parts] == [1, 1, 1, 1]


def test_the_prefetching_thread_gives_the_batches_in_order(dataset):
    frames = training_frames(dataset, recipe="full")
    batches = EpochBatches(len(frames), 2, seed=5)
    loaded = list(PrefetchLoader(frames, batches))
    assert len(loaded) == len(batches)
    for (images, masks), keys in zip(loaded, batches, strict=True):
        expected_images, expected_masks = frames.batch(keys)
        assert torch.equal(images, expected_images)
        assert torch.equal(masks, expected_masks)


def test_an_error_in_the_thread_reaches_the_trainer(dataset):
    frames = training_frames(dataset)
    dataset.frames[4].image_path.write_bytes(b"not an image")
    with pytest.raises(DataError, match=dataset.frames[4].image_path.name):
        list(PrefetchLoader(frames, EpochBatches(len(frames), 2, seed=None)))


def test_leaving_an_epoch_early_ends_the_thread(dataset):
    import threading

    iterator = iter(PrefetchLoader(training_frames(dataset), EpochBatches(6, 2, seed=None)))
    next(iterator)
    iterator.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("frames")]


@pytest.mark.slow
def test_worker_processes_give_the_same_batches(tmp_path):
    dataset = load_labels(DatasetPaths(make_coco_dataset(tmp_path / "d")))
    frames = training_frames(dataset, recipe="full")
    batches = EpochBatches(len(frames), 2, seed=5)
    here = list(make_loader(frames, batches, num_workers=0))
    there = list(make_loader(frames, batches, num_workers=2))
    for (images, masks), (other_images, other_masks) in zip(here, there, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(masks, other_masks)
