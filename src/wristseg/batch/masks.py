"""Segment one input and write what was asked for, frame by frame.

In: a local file. Out: its outputs in the store, each with its hash and size. Memory does not grow
with a video's length, but for the COCO file where one is asked for. Called by ``batch.item``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import sha256_of
from wristseg.batch.job import Item, Job, Model
from wristseg.batch.records import Records
from wristseg.batch.store import Store
from wristseg.errors import DataError
from wristseg.images import encode_mask, read_image_rgb
from wristseg.interruption import raise_lost_signal
from wristseg.predict.coco import CocoPredictions
from wristseg.predict.mask_runs import MaskRunsWriter
from wristseg.predict.mask_video import mask_video_comment, open_mask_video
from wristseg.predict.video import TimedFrame, VideoReader

__all__ = ["MASK_SUFFIXES", "Made", "Place", "make_outputs"]

_Mask: TypeAlias = NDArray[np.uint8]
_Write: TypeAlias = Callable[[_Mask, int], None]

#: Suffix of the masks' file by kind of input and ``--masks``.
MASK_SUFFIXES = {
    ("video", "video"): "masks.mkv",
    ("image", "video"): "masks.png",
    ("video", "rle"): "masks.jsonl",
    ("image", "rle"): "masks.jsonl",
}

#: An image is one frame at time 0.
_IMAGE_TIME_BASE = Fraction(1)


@dataclass
class Made:
    """What was made of an input.

    Attributes:
        outputs: Name to SHA-256 and bytes of each output.
        frames: Frames that were segmented.
        declared: Frames that the file declares; None if it does not.
        problems: Why it is not all of them.
    """

    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    frames: int = 0
    declared: int | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """What is to be made of an input, and where it goes.

    Attributes:
        job: What is to be made.
        store: Where outputs go.
        records: Names the outputs of this input.
    """

    job: Job
    store: Store
    records: Records


@dataclass(frozen=True)
class _Work:
    """What the steps share."""

    place: Place
    model: Model
    on_frame: Callable[[], object]
    made: Made
    coco: CocoPredictions | None

    def segment(self, rgb: NDArray[np.uint8], pts: int, write: _Write) -> None:
        """Segment a frame and hand the mask to all that keep it."""
        raise_lost_signal()
        mask = self.model.predict_rgb(rgb)
        write(mask, pts)
        if self.coco is not None:
            # CVAT names the frames of a video task so.
            self.coco.add(f"frame_{self.made.frames:06d}.PNG", mask)
        self.made.frames += 1
        self.on_frame()

    @contextlib.contextmanager
    def output(self, suffix: str) -> Iterator[Path]:
        """Yield a path to write an output to; afterwards its hash is known."""
        name = self.place.records.output(suffix)
        with self.place.store.writing(name) as path:
            yield path
            said = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        self.made.outputs[name] = said


def make_outputs(
    path: Path, item: Item, place: Place, *, model: Model, on_frame: Callable[[], object]
) -> Made:
    """Segment an input and write its outputs.

    Args:
        path: The input on this machine.
        item: What it is.
        place: What is to be made, and where it goes.
        model: Makes the masks.
        on_frame: Called after each frame.

    Raises:
        DataError: No frame of it can be read.
        OSError: An output cannot be written.
    """
    job = place.job
    coco = CocoPredictions(model.classes) if job.coco else None
    work = _Work(place, model, on_frame, Made(), coco)
    suffix = MASK_SUFFIXES[item.kind, job.masks]
    if item.kind == "image":
        _segment_image(path, work, suffix)
    else:
        _segment_video(path, work, suffix)
    if coco is not None:
        with work.output("coco.json") as target:
            coco.write(target, description=job.origin)
    return work.made


def _segment_image(path: Path, work: _Work, suffix: str) -> None:
    rgb = read_image_rgb(path)
    with work.output(suffix) as target:
        if work.place.job.masks == "video":
            work.segment(rgb, 0, partial(_write_png, target, work))
        else:
            with _open_runs(target, work, _IMAGE_TIME_BASE) as runs:
                work.segment(rgb, 0, runs.write)


def _segment_video(path: Path, work: _Work, suffix: str) -> None:
    with VideoReader(path) as reader:
        frames = iter(reader)
        first = next(frames, None)
        if first is None:
            reason = "; ".join(reader.problems) or "the file holds no frame"
            raise DataError(path, f"no frame could be decoded: {reason}")
        with work.output(suffix) as target, _video_writer(target, first, reader, work) as write:
            for frame in chain([first], frames):
                work.segment(frame.rgb, frame.pts, write)
        work.made.declared = reader.declared_frames
        work.made.problems += reader.problems


@contextlib.contextmanager
def _video_writer(
    target: Path, first: TimedFrame, reader: VideoReader, work: _Work
) -> Iterator[_Write]:
    if work.place.job.masks == "rle":
        with _open_runs(target, work, first.time_base) as runs:
            yield runs.write
        return
    height, width = first.rgb.shape[:2]
    with open_mask_video(
        target,
        (height, width),
        fps=reader.fps,
        time_base=first.time_base,
        comment=mask_video_comment(work.model.classes, origin=work.place.job.origin),
    ) as video:
        yield partial(video.write, image_format="gray")


def _open_runs(target: Path, work: _Work, time_base: Fraction) -> MaskRunsWriter:
    return MaskRunsWriter(
        target, work.model.classes, time_base=time_base, origin=work.place.job.origin
    )


def _write_png(target: Path, work: _Work, mask: _Mask, _pts: int) -> None:
    target.write_bytes(encode_mask(mask, work.model.classes))
