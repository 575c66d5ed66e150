"""Contestants take turns: each once a round, in changing orders."""

from __future__ import annotations

from functools import partial

import pytest

from wristseg.benchmark import rounds as turns_module
from wristseg.benchmark.rounds import take_turns


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(turns_module, "_SETTLE_S", 0.0)


def played(*, seed, rounds=6):
    order = []
    found = take_turns(
        {name: partial(order.append, name) for name in "abcd"}, rounds=rounds, seed=seed
    )
    return order, found


def test_each_takes_one_turn_a_round():
    order, found = played(seed=0)
    for start in range(0, len(order), 4):
        assert sorted(order[start : start + 4]) == ["a", "b", "c", "d"]
    assert {name: len(turns) for name, turns in found.items()} == dict.fromkeys("abcd", 6)


def test_rounds_differ_in_order_and_a_seed_repeats_them():
    order, _ = played(seed=0)
    rounds = {tuple(order[start : start + 4]) for start in range(0, len(order), 4)}
    assert len(rounds) > 1
    assert played(seed=0)[0] == order
    assert played(seed=1)[0] != order


def test_answers_come_back_in_the_order_of_the_rounds():
    counter = iter(range(100))
    found = take_turns({"a": lambda: next(counter), "b": lambda: -1}, rounds=3, seed=0)
    assert found == {"a": [0, 1, 2], "b": [-1, -1, -1]}


def test_progress_counts_every_turn():
    turns = []
    take_turns({"a": int, "b": int}, rounds=2, seed=0, done=lambda: turns.append(None))
    assert len(turns) == 4
