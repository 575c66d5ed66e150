"""Whole batches augmented in PyTorch: image and mask move together, and labels stay true."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from wristseg.classes import DEFAULT_CLASSES, IGNORE_INDEX
from wristseg.data import batch_augment
from wristseg.data.batch_augment import BatchAugmentation, Chances, _homographies

NOTHING = Chances(**{field.name: 0.0 for field in fields(Chances)})
TABLE, CUBE, FINGER = (
    DEFAULT_CLASSES.names.index(name) for name in ("table", "cube", "static_finger")
)


@pytest.fixture
def batch():
    """Forty frames of a grey cube and a finger on a grey table."""
    masks = torch.full((40, 48, 64), TABLE, dtype=torch.uint8)
    masks[:, 10:30, 20:40] = CUBE
    masks[:, 30:, 44:60] = FINGER
    return torch.full((40, 48, 64, 3), 120, dtype=torch.uint8), masks


def augmented(batch, seed=1, **chances):
    change = BatchAugmentation(
        DEFAULT_CLASSES,
        device=torch.device("cpu"),
        seed=seed,
        chances=replace(NOTHING, **chances),
        variants=64,
    )
    return change(*batch)


def bytes_of(images):
    return torch.round(images * 255).to(torch.uint8).permute(0, 2, 3, 1)


def test_without_chances_frames_stay_as_they_are(batch):
    images, masks = augmented(batch)
    assert torch.equal(bytes_of(images), batch[0])
    assert torch.equal(masks, batch[1])


def test_what_is_given_is_not_written_into(batch):
    before = [part.clone() for part in batch]
    augmented(batch, mirror=1.0, crop=1.0, look=1.0, recolour=1.0, pattern=1.0, shadow=1.0)
    assert all(torch.equal(part, old) for part, old in zip(batch, before, strict=True))


def test_one_seed_draws_the_same_and_another_draws_other_frames(batch):
    everything = {field.name: 1.0 for field in fields(Chances)}
    first, again, other = (augmented(batch, seed, **everything) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_a_mirrored_frame_is_the_frame_read_from_right_to_left(batch):
    batch[0][:, :, :5] = 200
    images, masks = augmented(batch, mirror=1.0)
    assert torch.equal(bytes_of(images), batch[0].flip(2))
    assert torch.equal(masks, batch[1].flip(2))


def test_image_and_mask_move_together_and_what_lies_outside_is_not_labelled(batch):
    levels = torch.zeros(256, dtype=torch.uint8)
    levels[TABLE], levels[CUBE], levels[FINGER] = 50, 150, 250
    drawn = levels[batch[1].long()].unsqueeze(3).expand(-1, -1, -1, 3)
    images, masks = augmented((drawn, batch[1]), crop=1.0, turn=1.0, mirror=0.5)
    expected = levels[masks.long()]
    agree = (bytes_of(images)[..., 0].int() - expected.int()).abs() < 60
    agree |= masks == IGNORE_INDEX
    assert agree.float().mean() > 0.97  # all but the edges, which are blended
    assert (masks == IGNORE_INDEX).any()
    assert set(masks.unique().tolist()) == {TABLE, CUBE, FINGER, IGNORE_INDEX}
    assert len({mask.numpy().tobytes() for mask in masks}) == len(masks)


def test_a_crop_shows_a_part_of_the_frame_larger(batch):
    _, masks = augmented(batch, crop=1.0)
    share = (masks == CUBE).float().mean(dim=(1, 2)) / (batch[1] == CUBE).float().mean()
    assert share.median() > 1.1
    assert not (masks == IGNORE_INDEX).any()


def test_a_recoloured_class_keeps_one_colour_which_is_its_own(batch):
    images, masks = augmented(batch, look=1.0, recolour=1.0)
    apart = 0
    for image, mask in zip(bytes_of(images).numpy(), masks.numpy(), strict=True):
        table, cube = (image[mask == class_id] for class_id in (TABLE, CUBE))
        assert (table == table[0]).all()
        assert (cube == cube[0]).all()
        apart += np.abs(table[0].astype(int) - cube[0]).max() > 20
    assert apart >= 30


def test_a_pattern_shows_on_its_class_and_ends_with_it(batch):
    images, masks = augmented(batch, look=1.0, pattern=0.5)
    shown = 0
    for image, mask in zip(bytes_of(images).numpy(), masks.numpy(), strict=True):
        colours = [len(np.unique(image[mask == c], axis=0)) for c in (TABLE, CUBE)]
        shown += (colours[0] == 1) != (colours[1] == 1)
    assert shown >= 10


def test_shadows_of_the_scene_stay_under_a_pattern(batch):
    batch[0][:, 40:] //= 3
    images, _ = augmented(batch, look=1.0, pattern=1.0)
    ratios = images[:, :, 40:, :40].mean(dim=(1, 2, 3)) / images[:, :, :8].mean(dim=(1, 2, 3))
    assert ratios.median() < 0.55


def test_only_a_share_of_frames_gets_another_look(batch):
    images, _ = augmented(batch, look=0.5, recolour=1.0)
    changed = (bytes_of(images) != batch[0]).flatten(1).any(1)
    assert 8 <= int(changed.sum()) <= 32


def test_a_shadow_darkens_and_falls_behind_the_fingers_of_half_the_frames(batch):
    stripes = torch.arange(64) // 8 % 2 == 0
    batch[1][:] = torch.where(stripes, TABLE, FINGER).to(torch.uint8)
    images, _ = augmented(batch, shadow=1.0)
    lost = batch[0].int() - bytes_of(images).int()
    assert (lost >= 0).all()
    on_table, on_fingers = (
        lost[:, :, at].float().mean(dim=(1, 2, 3)) for at in (stripes, ~stripes)
    )
    fell = on_table > 3
    assert fell.float().mean() > 0.7
    behind = on_fingers[fell] < 0.5 * on_table[fell]
    assert 0.2 < behind.float().mean() < 0.8


@pytest.mark.parametrize("size_hw", [(84, 84), (240, 320)])
def test_all_of_it_gives_frames_of_numbers_within_bounds(size_hw):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (48, *size_hw, 3), dtype=np.uint8))
    masks = torch.from_numpy(rng.integers(1, 6, (48, *size_hw), dtype=np.uint8))
    change = BatchAugmentation(DEFAULT_CLASSES, device=torch.device("cpu"), seed=3, variants=64)
    images, masks = change(images, masks)
    assert images.shape == (48, 3, *size_hw)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    steps = images * 255
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert set(masks.unique().tolist()) <= {1, 2, 3, 4, 5, IGNORE_INDEX}


def test_a_painted_class_takes_one_colour_and_keeps_its_shade(batch):
    batch[0][:, 10:18, 20:40] = torch.tensor([90, 20, 20], dtype=torch.uint8)
    batch[0][:, 18:30, 20:40] = torch.tensor([20, 20, 200], dtype=torch.uint8)
    images, masks = augmented(batch, look=1.0, recolour=1.0)
    assert torch.equal(masks, batch[1])
    first, second = images[:, :, 14, 30], images[:, :, 24, 30]
    between = functional.cosine_similarity(first, second)
    painted = between > 0.99  # no turn of the colour circle brings red and blue together
    assert 8 <= int(painted.sum()) <= 26
    assert len(torch.unique(torch.round(first[painted] * 255), dim=0)) >= 6
    # Red is as grey as 41 of 255 and blue as 40: both become equally bright.
    assert torch.allclose(first[painted], second[painted], atol=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_a_camera_that_rolls_turns_the_frame_as_it_was_drawn(monkeypatch, seed):
    monkeypatch.setattr(batch_augment, "_TURN_DEG", (0.0, 0.0, 18.0))
    matrix = _homographies(np.random.default_rng(seed), 1)[0]
    assert np.allclose(matrix[2], (0, 0, 1))
    stretch = np.diag([4 / 3, 1.0])  # 4:3 frames, whatever size they are brought to
    turn = stretch @ matrix[:2, :2] @ np.linalg.inv(stretch)
    assert np.allclose(turn @ turn.T, np.eye(2))
    assert 0 < abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))) < 18


def test_a_turned_camera_sees_along_other_rays_from_the_same_place():
    for matrix in _homographies(np.random.default_rng(0), 20):
        # diag(1 / reach) R diag(reach) is a rotation again for the reach that was drawn.
        reaches = np.tan(np.radians(np.arange(25.0, 50.0, 0.01)))
        rays = np.stack([reaches * 4 / 3, reaches, np.ones_like(reaches)], axis=1)
        turned = matrix * rays[:, :, None] / rays[:, None, :]
        off = np.abs(turned @ turned.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        assert off.min() < 1e-3
    assert np.abs(matrix - np.eye(3)).max() > 0.01


def test_image_and_mask_move_together_where_the_camera_turns(batch):
    levels = torch.zeros(256, dtype=torch.uint8)
    levels[TABLE], levels[CUBE], levels[FINGER] = 50, 150, 250
    drawn = levels[batch[1].long()].unsqueeze(3).expand(-1, -1, -1, 3)
    images, masks = augmented((drawn, batch[1]), aim=1.0)
    known = masks != IGNORE_INDEX
    agree = (bytes_of(images)[..., 0].int() - levels[masks.long()].int()).abs() < 60
    assert agree[known].float().mean() > 0.97
    assert 0.02 < (~known).float().mean() < 0.4
    assert len({mask.numpy().tobytes() for mask in masks}) == len(masks)


def test_an_uneven_lamp_leaves_labels_and_makes_one_part_darker_than_another(batch):
    images, masks = augmented(batch, lamp=1.0)
    assert torch.equal(masks, batch[1])
    dark, bright = images.flatten(1).min(dim=1).values, images.flatten(1).max(dim=1).values
    assert (dark < 0.8 * bright).float().mean() > 0.7
    assert (bright > 0.2).all()
