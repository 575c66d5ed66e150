"""Learning rates by part and epoch, and the moving average of the weights."""

from __future__ import annotations

import math

import pytest
import torch

from wristseg.modeling.network import SegmentationNetwork
from wristseg.train.optimizer import ETA_MIN, OptimizerPlan


@pytest.fixture(scope="module")
def network():
    return SegmentationNetwork(6)


def rates(plan, network, *, lr, epochs):
    """The rate of each group in each epoch."""
    optimizer = plan.optimizer(network, lr=lr, weight_decay=0.0)
    scheduler = plan.scheduler(optimizer, epochs=epochs)
    seen = []
    for _ in range(epochs):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return seen


def cosine(lr, epoch, epochs):
    return ETA_MIN + (lr - ETA_MIN) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def test_without_levers_there_is_one_group_on_a_cosine(network):
    seen = [rate for (rate,) in rates(OptimizerPlan(), network, lr=1e-3, epochs=7)]
    assert seen == pytest.approx([cosine(1e-3, epoch, 7) for epoch in range(7)])


def test_warm_up_rises_in_even_steps_and_the_cosine_takes_the_rest(network):
    seen = [rate for (rate,) in rates(OptimizerPlan(warmup=3), network, lr=4e-3, epochs=10)]
    assert seen[:4] == pytest.approx([1e-3, 2e-3, 3e-3, 4e-3])
    assert seen[3:] == pytest.approx([cosine(4e-3, epoch, 7) for epoch in range(7)])


def test_warm_up_takes_no_more_than_half_of_a_short_training(network):
    short = [rate for (rate,) in rates(OptimizerPlan(warmup=3), network, lr=4e-3, epochs=4)]
    assert short == [rate for (rate,) in rates(OptimizerPlan(warmup=2), network, lr=4e-3, epochs=4)]


def test_the_backbone_keeps_its_share_of_the_rate(network):
    seen = rates(OptimizerPlan(lr_backbone=0.1, warmup=1), network, lr=1e-2, epochs=4)
    decoder, backbone = zip(*seen, strict=True)
    assert decoder == pytest.approx([5e-3, 1e-2, *(cosine(1e-2, e, 3) for e in (1, 2))])
    assert backbone == pytest.approx([5e-4, 1e-3, *(cosine(1e-3, e, 3) for e in (1, 2))])


def test_both_groups_together_hold_every_trained_weight_once(network):
    optimizer = OptimizerPlan(lr_backbone=0.5).optimizer(network, lr=1.0, weight_decay=0.0)
    decoder, backbone = (set(map(id, group["params"])) for group in optimizer.param_groups)
    trained = {id(weight) for weight in network.parameters() if weight.requires_grad}
    assert backbone == set(map(id, network.backbone.parameters()))
    assert decoder | backbone == trained
    assert not decoder & backbone


def test_a_scheduler_taken_up_in_the_warm_up_goes_on_as_if_never_stopped(network):
    plan = OptimizerPlan(warmup=3)
    whole = rates(plan, network, lr=1e-3, epochs=6)
    for stop in (1, 2, 3, 4):
        optimizer = plan.optimizer(network, lr=1e-3, weight_decay=0.0)
        scheduler = plan.scheduler(optimizer, epochs=6)
        for _ in range(stop):
            optimizer.step()
            scheduler.step()
        other = plan.optimizer(network, lr=1e-3, weight_decay=0.0)
        resumed = plan.scheduler(other, epochs=6)
        other.load_state_dict(optimizer.state_dict())
        resumed.load_state_dict(scheduler.state_dict())
        seen = []
        for _ in range(stop, 6):
            seen.append([group["lr"] for group in other.param_groups])
            other.step()
            resumed.step()
        assert seen == whole[stop:]


@pytest.mark.parametrize("lr_backbone", [1.0, 0.5])
def test_with_muon_every_trained_weight_is_in_one_group_and_rates_fall_alike(network, lr_backbone):
    plan = OptimizerPlan(lr_backbone=lr_backbone, kernel_lr=0.02)
    seen = rates(plan, network, lr=1e-3, epochs=3)
    first = [1e-3, 0.02] if lr_backbone == 1.0 else [1e-3, 5e-4, 0.02, 0.01]
    assert seen[0] == pytest.approx(first)
    assert seen[1] == pytest.approx([cosine(rate, 1, 3) for rate in first])
    optimizer = plan.optimizer(network, lr=1e-3, weight_decay=0.0)
    grouped = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(grouped) == sorted(id(w) for w in network.parameters() if w.requires_grad)


def test_muon_taken_up_from_its_state_goes_on_as_if_never_stopped():
    def train(steps, *, stop):
        torch.manual_seed(0)
        network, plan = SegmentationNetwork(6), OptimizerPlan(kernel_lr=0.02)
        optimizer = plan.optimizer(network, lr=1e-3, weight_decay=0.01)
        scheduler = plan.scheduler(optimizer, epochs=steps)
        for step in range(steps):
            if step == stop:
                states = optimizer.state_dict(), scheduler.state_dict()
                optimizer = plan.optimizer(network, lr=1e-3, weight_decay=0.01)
                scheduler = plan.scheduler(optimizer, epochs=steps)
                optimizer.load_state_dict(states[0])
                scheduler.load_state_dict(states[1])
            for number, weight in enumerate(network.parameters()):
                weight.grad = torch.full_like(weight, (step + number) % 3 - 1.0)
            optimizer.step()
            scheduler.step()
        return network.state_dict()

    whole, stopped = train(4, stop=None), train(4, stop=2)
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
