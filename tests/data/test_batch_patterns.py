"""Patterns for batches: three kinds, of which each fills the frame and none is like another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wristseg.data.batch_patterns import PatternMaker

SIZE_HW = (48, 64)


@pytest.fixture
def draw():
    def drawn(seed, **options):
        device = torch.device("cpu")
        maker = PatternMaker(
            device,
            rng=np.random.default_rng(seed),
            pixels=torch.Generator(device).manual_seed(seed),
        )
        return maker.draw(6, SIZE_HW, **options)

    return drawn


@pytest.mark.parametrize("seed", range(8))
def test_patterns_fill_the_frame_within_bounds(draw, seed):
    patterns = draw(seed)
    assert patterns.shape == (6, 3, *SIZE_HW)
    assert patterns.min() >= 0
    assert patterns.max() <= 1
    assert (patterns.flatten(1).std(dim=1) > 0.02).all()
    assert len({pattern.numpy().tobytes() for pattern in patterns}) == 6


def test_same_seed_draws_the_same(draw):
    assert torch.equal(draw(5), draw(5))
    assert not torch.equal(draw(5), draw(6))


def test_some_have_few_colours_and_others_many(draw):
    colours = [len(torch.unique(draw(seed)[0].flatten(1), dim=1)[0]) for seed in range(20)]
    assert min(colours) <= 5
    assert max(colours) > 500


def test_frames_given_are_shown_in_a_third_of_the_draws(draw):
    frames = torch.zeros((2, 3, 40, 40))
    frames[:, 0] = 0.125  # a red that nothing else has
    shown = sum(bool((draw(seed, frames=frames)[:, 1:] == 0).all()) for seed in range(60))
    assert 8 <= shown <= 35
