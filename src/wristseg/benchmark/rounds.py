"""Take turns: contestants are timed in rounds, each round in an order of its own.

What slows the machine for a minute then slows all of them, and none always follows the same other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = ["take_turns"]

T = TypeVar("T")

#: Pause before a turn, in which the threads of the one before stop spinning and fall asleep.
_SETTLE_S = 0.05


def take_turns(
    turns: Mapping[str, Callable[[], T]],
    *,
    rounds: int,
    seed: int,
    done: Callable[[], object] = lambda: None,
) -> dict[str, list[T]]:
    """Call each turn once a round.

    Args:
        turns: Name to what is to be called.
        rounds: How often each is called.
        seed: Seed of the orders.
        done: Called after each turn, to show progress.

    Returns:
        What the turns returned, by name, in the order of the rounds.
    """
    order, chance = list(turns), random.Random(seed)  # noqa: S311 - guards nothing
    found: dict[str, list[T]] = {name: [] for name in turns}
    for _ in range(rounds):
        chance.shuffle(order)
        for name in order:
            time.sleep(_SETTLE_S)
            found[name].append(turns[name]())
            done()
    return found
