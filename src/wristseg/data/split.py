"""The split into training and validation frames: drawn once, written down, reused on resume.

In: the frames of a data set. Out: the stems of each side, and how far the two sides show the same
moments. Called by ``train.fit`` and by ``wristseg check``, which looks for leaks in the same split.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from wristseg.artifacts import write_json
from wristseg.errors import DataError

__all__ = ["Split", "SplitFrame", "make_split", "neighbours_in_train", "read_split", "write_split"]


class SplitFrame(Protocol):
    """What a split needs to know about a frame."""

    @property
    def stem(self) -> str:
        """Name of the frame, unique in the data set."""

    @property
    def tag(self) -> str:
        """Draw order of the frame: ``default`` or ``grasp``."""

    @property
    def recording(self) -> str:
        """Recording that the frame was taken from."""


@dataclass(frozen=True)
class Split:
    """The stems of both sides, each sorted."""

    train: tuple[str, ...]
    val: tuple[str, ...]


def make_split(
    frames: Sequence[SplitFrame],
    *,
    val_fraction: float,
    seed: int,
    split_by: Literal["frame", "recording"] = "frame",
) -> Split:
    """Draw the validation frames.

    Args:
        frames: The usable frames of a data set, in any order.
        val_fraction: Share of the frames to hold out, between 0 and 1.
        seed: The same seed and frames give the same split.
        split_by: ``frame`` draws single frames, the same share of each tag (163 frames with 26
            grasp frames give 139 and 24); ``recording`` keeps a recording on one side.

    Raises:
        DataError: There are too few frames or recordings for two sides.
    """
    if split_by == "frame":
        held_out = _draw_frames(frames, val_fraction, seed)
    else:
        held_out = _draw_recordings(frames, val_fraction, seed)
    stems = {frame.stem for frame in frames}
    return Split(train=tuple(sorted(stems - held_out)), val=tuple(sorted(held_out)))


def neighbours_in_train(frames: Sequence[SplitFrame], split: Split) -> int:
    """Count the validation frames whose previous or next frame of the recording is in training.

    Such a pair is nearly the same picture: val/iou then says little about a new recording.
    """
    recordings = defaultdict(list)
    for frame in sorted(frames, key=lambda frame: frame.stem):
        recordings[frame.recording].append(frame.stem)
    train, val = set(split.train), set(split.val)
    return sum(
        stem in val and not train.isdisjoint(stems[max(i - 1, 0) : i + 2])
        for stems in recordings.values()
        for i, stem in enumerate(stems)
    )


def write_split(path: Path, split: Split, *, origin: Mapping[str, object]) -> None:
    """Write ``split.json``: the stems of both sides, after what they were drawn from."""
    write_json(path, {**origin, "train": list(split.train), "val": list(split.val)})


def read_split(path: Path, frames: Sequence[SplitFrame]) -> Split:
    """Read what ``write_split`` wrote and check it against the data set.

    Raises:
        DataError: The file is damaged, or names other frames than the data set has.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        split = Split(train=tuple(content["train"]), val=tuple(content["val"]))
        named = Counter([*split.train, *split.val])
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            path, f"not readable as a split: {problem}; expected the split.json of a training"
        ) from error
    if named != Counter(frame.stem for frame in frames):
        raise DataError(
            path,
            f"lists {named.total()} frames, the data set has {len(frames)} and not the same ones; "
            "a split belongs to one data set; to resume on another, train without --resume",
        )
    return split


def _draw_frames(frames: Sequence[SplitFrame], val_fraction: float, seed: int) -> set[str]:
    if len(frames) < 2:
        raise DataError("split", f"{len(frames)} usable frames; expected at least 2, one per side")
    total = min(max(round(len(frames) * val_fraction), 1), len(frames) - 1)
    by_tag = defaultdict(list)
    for frame in frames:
        by_tag[frame.tag].append(frame.stem)
    shares = {tag: len(stems) * total / len(frames) for tag, stems in sorted(by_tag.items())}
    counts = {tag: int(share) for tag, share in shares.items()}
    # Largest remainder: the counts add up to the total, none off its share by one or more.
    by_remainder = sorted(shares, key=lambda tag: counts[tag] - shares[tag])
    for tag in by_remainder[: total - sum(counts.values())]:
        counts[tag] += 1
    return {
        stem
        for tag, count in counts.items()
        for stem in random.Random(f"{seed} {tag}").sample(sorted(by_tag[tag]), count)  # noqa: S311
    }


def _draw_recordings(frames: Sequence[SplitFrame], val_fraction: float, seed: int) -> set[str]:
    sizes = Counter(frame.recording for frame in frames)
    if len(sizes) < 2:
        raise DataError(
            "split",
            f"--split-by recording: {len(sizes)} recording ({', '.join(sizes)}), expected at least "
            "2; recordings are told apart by file name, use --split-by frame",
        )
    order = sorted(sizes)
    random.Random(seed).shuffle(order)  # noqa: S311 - a reproducible draw, no secret
    target = len(frames) * val_fraction
    held_out: set[str] = set()
    count = 0
    for recording in order:
        closer = abs(count + sizes[recording] - target) < abs(count - target)
        if closer and len(held_out) < len(sizes) - 1:
            held_out.add(recording)
            count += sizes[recording]
    if not held_out:  # every recording is more than twice the share: the smallest comes nearest
        held_out = {min(order, key=lambda recording: sizes[recording])}
    return {frame.stem for frame in frames if frame.recording in held_out}
