"""What to render, frame by frame, before anything is drawn.

``dataset_v0`` and ``randomised`` make plans; ``worker`` draws their frames in any order and on any
number of processes, since each frame carries its own seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wristseg.data.progress import with_progress
from wristseg.synth.annotate import Flaw
from wristseg.synth.look import Look
from wristseg.synth.poses import Pose

__all__ = ["FramePlan", "child_rng", "child_seed", "each_burst"]


@dataclass(frozen=True)
class FramePlan:
    """One frame to draw.

    Attributes:
        stem: File name without suffix.
        look: What it looks like; frames with equal looks stand together, textures are painted once.
        pose: Where arm and object are.
        before: Pose one video frame earlier, for the motion blur; None where the look says it.
        tag: Draw order the annotator had in mind.
        seed: Of the sensor's noise and the annotator's hand.
        flaw: How the annotations are spoilt, or None.
    """

    stem: str
    look: Look
    pose: Pose
    before: Pose | None
    tag: Literal["default", "grasp"]
    seed: int
    flaw: Flaw | None = None


def child_seed(seed: int, *path: int) -> int:
    """Return a seed of its own for one part of the work, the same on every machine.

    NumPy takes a path and the same path with zeros behind it for one: number from 1 what lies below
    a part that draws numbers itself.
    """
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


def child_rng(seed: int, *path: int) -> np.random.Generator:
    """Return a generator of its own for one part of the work (see ``child_seed``)."""
    return np.random.default_rng(np.random.SeedSequence([seed, *path]))


def each_burst(frames: int, burst: int) -> Iterator[int]:
    """Count the bursts that so many frames take, with a bar after two seconds.

    >>> list(each_burst(7, 3))
    [0, 1, 2]

    Args:
        frames: How many are asked for; the last burst may have more.
        burst: Frames of a burst.
    """
    count = -(-frames // burst)
    return with_progress(range(count), total=count, doing="planning")
