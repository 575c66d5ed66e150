"""The split: shares, reproducibility, recordings, and what makes it unusable."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wristseg.data.split import (
    Split,
    make_split,
    neighbours_in_train,
    read_split,
    write_split,
)
from wristseg.errors import DataError


@dataclass(frozen=True)
class Frame:
    stem: str
    tag: str
    recording: str


def frames(count, *, grasp=0, recordings=1):
    return [
        Frame(
            f"rec{i % recordings}_{i:04d}",
            "grasp" if i < grasp else "default",
            f"rec{i % recordings}",
        )
        for i in range(count)
    ]


def test_163_frames_with_26_grasp_frames_give_139_and_24():
    made = frames(163, grasp=26)
    split = make_split(made, val_fraction=0.15, seed=42)
    assert (len(split.train), len(split.val)) == (139, 24)
    tags = {frame.stem: frame.tag for frame in made}
    assert Counter(tags[stem] for stem in split.val) == {"grasp": 4, "default": 20}


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 80), st.integers(0, 80), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_both_sides_are_disjoint_complete_and_stratified(count, grasp, fraction, seed):
    made = frames(count, grasp=min(grasp, count))
    split = make_split(made, val_fraction=fraction, seed=seed)
    assert split.train
    assert split.val
    assert sorted([*split.train, *split.val]) == sorted(frame.stem for frame in made)
    share = len(split.val) / count
    tags = {frame.stem: frame.tag for frame in made}
    for tag, total in Counter(tags.values()).items():
        held_out = sum(tags[stem] == tag for stem in split.val)
        assert abs(held_out - total * share) < 1


def test_the_seed_decides_and_the_order_of_frames_does_not():
    made = frames(60, grasp=10)
    split = make_split(made, val_fraction=0.2, seed=1)
    assert split == make_split(made[::-1], val_fraction=0.2, seed=1)
    assert split != make_split(made, val_fraction=0.2, seed=2)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 8), st.integers(0, 100), st.floats(0.05, 0.6))
def test_a_recording_stays_on_one_side(recordings, seed, fraction):
    made = frames(40, recordings=recordings)
    split = make_split(made, val_fraction=fraction, seed=seed, split_by="recording")
    recording = {frame.stem: frame.recording for frame in made}
    train, val = ({recording[stem] for stem in side} for side in (split.train, split.val))
    assert train
    assert val
    assert not train & val
    assert neighbours_in_train(made, split) == 0


def test_one_recording_cannot_be_split_by_recording():
    with pytest.raises(DataError, match=r"1 recording .*use --split-by frame"):
        make_split(frames(10), val_fraction=0.15, seed=0, split_by="recording")


def test_f11_one_frame_cannot_fill_two_sides():
    with pytest.raises(DataError, match="1 usable frames; expected at least 2"):
        make_split(frames(1), val_fraction=0.15, seed=0)


def test_neighbours_are_the_previous_and_the_next_frame_of_the_recording():
    made = [*frames(6), Frame("other_0003", "default", "other")]
    split = Split(
        train=("rec0_0000", "rec0_0001", "rec0_0005"),
        val=("other_0003", "rec0_0002", "rec0_0003", "rec0_0004"),
    )
    assert neighbours_in_train(made, split) == 2  # 0002 beside 0001, and 0004 beside 0005


def test_split_json_gives_the_same_split_back(tmp_path):
    made = frames(20)
    split = make_split(made, val_fraction=0.2, seed=0)
    write_split(tmp_path / "split.json", split, origin={"seed": 0})
    assert read_split(tmp_path / "split.json", made) == split


def test_split_json_of_other_frames_is_refused(tmp_path):
    split = make_split(frames(20), val_fraction=0.2, seed=0)
    write_split(tmp_path / "split.json", split, origin={})
    with pytest.raises(DataError, match="20 frames, the data set has 21"):
        read_split(tmp_path / "split.json", frames(21))


@pytest.mark.parametrize("text", ["", "[]", '{"train": 3}', '{"train": [[]], "val": []}'])
def test_a_damaged_split_json_is_refused(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(DataError, match="not readable as a split: "):
        read_split(tmp_path / "split.json", frames(2))
