"""Rendered data sets: the split of each, and what of it reaches a size."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.rendered import make_rendered
from wristseg.train.rendered import reaching, read_rendered


@pytest.fixture
def folder(tmp_path):
    return make_rendered(tmp_path / "rendered")


def test_the_last_whole_bursts_validate(folder):
    (rendered,) = read_rendered([folder], val_share=0.3)
    stems = sorted(frame.stem for frame in rendered.dataset.frames)
    assert rendered.train == tuple(stems[:6])
    assert rendered.val == tuple(stems[6:])


@pytest.mark.parametrize(
    ("origin", "seed"),
    [({"options": {"seed": 21}}, 21), ({"options": {}}, None), ([], None), (None, None)],
)
def test_the_seed_is_what_the_set_says_it_was_rendered_from(folder, origin, seed):
    if origin is not None:
        (folder / "origin.json").write_text(json.dumps(origin))
    (rendered,) = read_rendered([folder], val_share=0.3)
    assert rendered.seed == seed


def test_a_size_gets_the_frames_that_are_as_large_in_both_directions(folder):
    (rendered,) = read_rendered([folder], val_share=0.3)  # frames of 48x64
    assert reaching([rendered], (48, 64)) == [rendered]
    assert reaching([rendered], (49, 64)) == reaching([rendered], (48, 65)) == []


def test_a_set_without_large_frames_on_both_sides_is_left_out(folder):
    (rendered,) = read_rendered([folder], val_share=0.3)

    def with_small(stems):
        frames = tuple(
            replace(frame, size_hw=(24, 32)) if frame.stem in stems else frame
            for frame in rendered.dataset.frames
        )
        return replace(rendered, dataset=replace(rendered.dataset, frames=frames))

    (left,) = reaching([with_small(rendered.train[:2])], (48, 64))
    assert (left.train, left.val) == (rendered.train[2:], rendered.val)
    assert reaching([with_small(rendered.val)], (48, 64)) == []
    assert reaching([with_small(rendered.train)], (48, 64)) == []
