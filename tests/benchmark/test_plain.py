"""The plain implementation is a fair opponent: same masks, same split, same checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.plain import FrameDataset, SegmentationInference, soft_iou_loss
from benchmarks.plain_masks import generate_masks as draw_plainly
from tests.datasets import make_coco_dataset
from wristseg.benchmark.random_weights import write_random_checkpoint
from wristseg.configs import MasksConfig
from wristseg.data.masks import generate_masks
from wristseg.images import read_mask
from wristseg.modeling import losses
from wristseg.predict import Segmenter


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_coco_dataset(tmp_path_factory.mktemp("plain") / "data", frames=5, excluded=(3,))


def test_a_checkpoint_gives_both_the_same_masks_of_several_classes(tmp_path):
    path = tmp_path / "random.ckpt"
    write_random_checkpoint(path, (84, 84))
    coarse = np.random.default_rng(0).integers(0, 256, (10, 14, 3), dtype=np.uint8)
    frame = coarse.repeat(12, axis=0).repeat(12, axis=1)
    plain = SegmentationInference(path).predict(frame)
    ours = Segmenter.load(path, device="cpu").predict(frame)
    assert plain.shape == ours.shape == frame.shape[:2]
    assert len(np.unique(plain)) >= 3
    assert (plain == ours).mean() >= 0.9999


def test_both_draw_the_same_masks(dataset, tmp_path):
    marks = {"selections": dataset / "selections.json", "excluded": dataset / "excluded.json"}
    assert draw_plainly(dataset, tmp_path / "plain", **marks) == 4
    generate_masks(MasksConfig(dataset, output_dir=tmp_path / "ours"))
    names = sorted(path.name for path in (tmp_path / "ours").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "plain").iterdir())
    for name in names:
        plain, ours = (
            read_mask(tmp_path / side / name, num_classes=6) for side in ("plain", "ours")
        )
        np.testing.assert_array_equal(plain, ours)


def test_both_losses_are_one_number():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 12, 16, generator=generator)
    labels = torch.randint(0, 6, (2, 12, 16), generator=generator)
    ours = losses.soft_iou_loss(logits, labels.to(torch.uint8))
    assert soft_iou_loss(logits, labels).item() == pytest.approx(ours.item(), abs=1e-6)


@pytest.mark.parametrize("augment", ["none", "flips", "full"])
def test_a_training_frame_has_the_networks_size_and_only_known_classes(dataset, tmp_path, augment):
    draw_plainly(dataset, tmp_path)
    (mask, *_) = sorted(tmp_path.iterdir())
    image = dataset / "images" / "default" / f"{mask.stem}.jpg"
    frames = FrameDataset([(image, mask)], (32, 40), augment)
    for _ in range(8):
        picture, labels = frames[0]
        assert picture.shape == (3, 32, 40)
        assert picture.dtype == torch.float32
        assert labels.shape == (32, 40)
        assert set(labels.unique().tolist()) <= set(range(6))
