"""Losses: by hand, against a one-hot reference, and with pixels to ignore."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from wristseg.modeling.losses import (
    compound_loss,
    cross_entropy_loss,
    loss_function,
    soft_iou_loss,
)


def random_batch(classes=6, *, ignored=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, classes, 8, 10, generator=generator)
    labels = torch.randint(0, classes, (3, 8, 10), generator=generator, dtype=torch.uint8)
    labels[torch.rand(labels.shape, generator=generator) < ignored] = 255
    return logits, labels


def reference_iou_loss(logits, labels):
    probabilities = logits.softmax(1).numpy().astype(np.float64).transpose(0, 2, 3, 1)
    kept = labels.numpy() != 255
    probabilities, ids = probabilities[kept], labels.numpy()[kept]
    onehot = np.eye(logits.shape[1])[ids]
    intersection = (probabilities * onehot).sum(0)
    union = probabilities.sum(0) + onehot.sum(0) - intersection
    return 1 - ((intersection + 1e-6) / (union + 1e-6)).mean()


@pytest.mark.parametrize("ignored", [0.0, 0.4])
@pytest.mark.parametrize("seed", [0, 1])
def test_soft_iou_equals_the_one_hot_formula(ignored, seed):
    logits, labels = random_batch(ignored=ignored, seed=seed)
    expected = reference_iou_loss(logits, labels)
    assert soft_iou_loss(logits, labels).item() == pytest.approx(expected, abs=1e-5)


def test_soft_iou_of_two_pixels_by_hand():
    # Both classes at probability 0.5, one pixel each: IoU = 0.5 / (1 + 1 - 0.5) = 1/3.
    loss = soft_iou_loss(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]], dtype=torch.uint8))
    assert loss.item() == pytest.approx(2 / 3, abs=1e-5)


def test_soft_iou_of_a_right_and_certain_prediction_is_zero():
    labels = torch.tensor([[[0, 1, 2]]], dtype=torch.uint8)
    logits = functional.one_hot(labels.long(), 3).permute(0, 3, 1, 2) * 100.0
    assert soft_iou_loss(logits, labels).item() == pytest.approx(0.0, abs=1e-5)


def test_soft_iou_counts_a_class_that_is_absent_from_the_batch():
    labels = torch.tensor([[[0, 1]]], dtype=torch.uint8)
    logits = functional.one_hot(labels.long(), 3).permute(0, 3, 1, 2) * 10.0
    assert soft_iou_loss(logits, labels).item() == pytest.approx(1 / 3, abs=1e-2)


@pytest.mark.parametrize("loss", [soft_iou_loss, compound_loss])
@pytest.mark.parametrize("size_hw", [(8, 10), (3, 4)])
def test_the_written_out_gradient_is_that_of_finite_differences(size_hw, loss):
    _, labels = random_batch(4, ignored=0.2)
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 4, *size_hw, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits.requires_grad_())


def compound_by_autograd(logits, labels):
    """The formula as one would write it, over the classes in the labels."""
    kept = labels != 255
    probabilities, ids = logits.softmax(1).permute(0, 2, 3, 1)[kept], labels[kept].long()
    onehot = functional.one_hot(ids, logits.shape[1]).to(logits.dtype)
    intersection = (probabilities * onehot).sum(0)
    union = probabilities.sum(0) + onehot.sum(0) - intersection
    iou = ((intersection + 1e-6) / (union + 1e-6))[onehot.sum(0) > 0]
    return 0.5 * functional.cross_entropy(logits, labels.long(), ignore_index=255) + 1 - iou.mean()


@pytest.mark.parametrize("absent", [None, 0, 4])
def test_the_compound_loss_and_its_gradient_are_those_of_autograd(absent):
    logits, labels = random_batch(ignored=0.2)
    if absent is not None:
        labels[labels == absent] = 1
    logits = logits.double().requires_grad_()
    losses = [compound_loss(logits, labels), compound_by_autograd(logits, labels)]
    torch.testing.assert_close(*losses, rtol=1e-9, atol=1e-12)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in losses]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_the_compound_loss_of_a_right_prediction_is_zero_whatever_classes_are_absent():
    labels = torch.tensor([[[1, 1, 2]]], dtype=torch.uint8)
    logits = functional.one_hot(labels.long(), 6).permute(0, 3, 1, 2) * 100.0
    assert compound_loss(logits, labels).item() == pytest.approx(0.0, abs=1e-5)


def test_the_compound_loss_moves_a_pixel_that_is_wrong_and_certain():
    logits = torch.tensor([200.0, 0.0]).view(1, 2, 1, 1).repeat(1, 1, 2, 2).requires_grad_()
    loss = compound_loss(logits, torch.ones(1, 2, 2, dtype=torch.uint8))
    loss.backward()
    assert torch.isfinite(loss)
    assert (logits.grad[:, 1] < -0.1).all()


@pytest.mark.parametrize("name", ["iou", "ce", "compound"])
def test_ignored_class_0_gets_no_gradient_and_learned_class_0_does(name):
    logits, labels = random_batch()
    for unlabeled, silent in (("ignore", True), ("learn", False)):
        own = logits.clone().requires_grad_()
        loss_function(name, unlabeled=unlabeled)(own, labels).backward()
        assert ((own.grad.abs().sum(1) == 0)[labels == 0]).all() == silent
        assert (own.grad.abs().sum(1) > 0)[labels > 0].all()
    assert (labels == 0).any()  # the caller's labels stay as they were


@pytest.mark.parametrize("loss", [soft_iou_loss, cross_entropy_loss, compound_loss])
def test_small_logits_are_enlarged_to_the_labels(loss):
    _, labels = random_batch(ignored=0.2)
    small = torch.randn(3, 6, 2, 3, generator=torch.Generator().manual_seed(4), requires_grad=True)
    large = functional.interpolate(small, size=(8, 10), mode="bilinear", align_corners=False)
    one, other = loss(small, labels), loss(large, labels)
    assert one.item() == pytest.approx(other.item(), rel=1e-6)
    gradients = [torch.autograd.grad(value, small, retain_graph=True)[0] for value in (one, other)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("loss", [soft_iou_loss, compound_loss])
@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_a_batch_worked_on_in_parts_gives_the_loss_of_the_whole(monkeypatch, ignored, loss):
    logits, labels = random_batch(ignored=ignored)
    losses, gradients = [], []
    for chunk in (10**9, 1):
        monkeypatch.setattr("wristseg.modeling.losses._CHUNK", chunk)
        own = logits.clone().requires_grad_()
        losses.append(loss(own, labels))
        losses[-1].backward()
        gradients.append(own.grad)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("loss", [soft_iou_loss, compound_loss])
@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_what_suits_a_gpu_gives_the_loss_and_gradient_of_a_processor(monkeypatch, ignored, loss):
    logits, labels = random_batch(ignored=ignored)
    losses, gradients = [], []
    for on_gpu in (False, True):
        monkeypatch.setattr("wristseg.modeling.losses._on_gpu", lambda _, here=on_gpu: here)
        own = logits.clone().requires_grad_()
        losses.append(loss(own, labels))
        losses[-1].backward()
        gradients.append(own.grad)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)


def test_more_pixels_than_float32_can_count_one_by_one_are_all_counted():
    # 5000 x 3500 pixels of class 0, all certain: past 2^24 a running float32 sum stands still.
    labels = torch.zeros(1, 5000, 3500, dtype=torch.uint8)
    labels[0, 0, :2000] = 1
    logits = torch.tensor([30.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    expected = 1 - (1 - 2000 / labels.numel()) / 2
    assert soft_iou_loss(logits, labels).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("loss", [soft_iou_loss, cross_entropy_loss, compound_loss])
def test_ignored_pixels_get_no_gradient(loss):
    logits, labels = random_batch(ignored=0.5)
    logits.requires_grad_()
    loss(logits, labels).backward()
    silent = logits.grad.abs().sum(1) == 0
    assert torch.equal(silent, labels == 255)


@pytest.mark.parametrize("loss", [soft_iou_loss, cross_entropy_loss, compound_loss])
def test_a_batch_with_nothing_to_learn_from_gives_a_finite_loss(loss):
    logits, labels = random_batch()
    assert torch.isfinite(loss(logits, torch.full_like(labels, 255)))


def test_cross_entropy_is_the_mean_over_counted_pixels():
    logits, labels = random_batch(ignored=0.3)
    expected = functional.cross_entropy(logits, labels.long(), ignore_index=255)
    assert cross_entropy_loss(logits, labels).item() == pytest.approx(expected.item(), rel=1e-5)


def test_half_precision_logits_do_not_overflow_the_sums():
    logits = torch.zeros(1, 2, 600, 600, dtype=torch.float16)
    labels = torch.zeros(1, 600, 600, dtype=torch.uint8)
    assert soft_iou_loss(logits, labels).item() == pytest.approx(0.75, abs=1e-3)


def test_an_unknown_loss_is_refused_by_name():
    with pytest.raises(ValueError, match=r"dice.*iou, ce, compound"):
        loss_function("dice")


@pytest.mark.parametrize("unlabeled", ["learn", "ignore"])
@pytest.mark.parametrize("name", ["iou", "ce", "compound"])
def test_parts_of_a_batch_that_pool_their_sums_have_the_loss_and_gradient_of_the_whole(
    name, unlabeled
):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 6, 8, generator=generator, dtype=torch.float64)
    labels = torch.randint(4, (3, 12, 16), generator=generator, dtype=torch.uint8)
    labels[0, :5], labels[2] = 255, 1  # parts with other classes and numbers of pixels
    loss = loss_function(name, unlabeled=unlabeled)
    whole = logits.clone().requires_grad_()
    expected = loss(whole, labels)
    expected.backward()

    sums = []
    for part in (slice(0, 2), slice(2, 3)):
        loss(logits[part], labels[part], pool=lambda own: sums.append(own.clone()) or own)
    in_parts = logits.clone().requires_grad_()
    for part in (slice(0, 2), slice(2, 3)):
        value = loss(in_parts[part], labels[part], pool=lambda _own: sums[0] + sums[1])
        assert value.item() == pytest.approx(expected.item(), rel=1e-6)
        value.backward()
    torch.testing.assert_close(in_parts.grad, whole.grad, rtol=1e-5, atol=1e-9)
