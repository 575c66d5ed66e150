"""Stage ``wristseg frames``: take frames out of videos, under names that lead back to them.

In: videos. Out: a folder with ``images/``, a record and a sheet to look at; it appears whole or
not at all. Put the export of an annotation tool beside ``images/`` and it is a data set. Called by
``cli.frames``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.data.progress import with_progress
from wristseg.errors import DataError
from wristseg.images import read_image_rgb
from wristseg.labeling.config import FramesConfig
from wristseg.labeling.diversity import farthest_first, thumbnail
from wristseg.labeling.folder import NewFolder
from wristseg.labeling.inputs import (
    FrameSource,
    InputFrame,
    InputFrames,
    Wanted,
    every_frames,
    every_seconds,
    store_frame,
)
from wristseg.labeling.sheet import evenly, write_sheet
from wristseg.model_info import json_values

__all__ = ["RECORD", "SampledFrames", "sample_frames"]

RECORD = "frames.json"
_MADE = frozenset({RECORD, "images", "overview.jpg"})
_SHEET_FRAMES = 24
_DEFAULT_SECONDS = 0.5
_USUAL_FPS = 30  # for the progress bar alone


@dataclass
class SampledFrames:
    """What a run made.

    Attributes:
        output: The folder.
        frames: File name, video, number and time of each frame, in order.
        candidates: Frames that ``--pick`` chose from; those taken, without it.
        problems: One line per video that could not be read, or not to its end.
    """

    output: Path
    frames: list[dict[str, object]] = field(default_factory=list)
    candidates: int = 0
    problems: list[str] = field(default_factory=list)


def sample_frames(
    config: FramesConfig,
    *,
    open_frames: Callable[[Callable[[], Wanted]], FrameSource] | None = None,
) -> SampledFrames:
    """Take frames out of videos.

    Args:
        config: What to take.
        open_frames: Opens the frames, given the choice for one video; called once per reading.
            None for the videos that ``config.inputs`` names.

    Returns:
        What was written and what could not be; look at ``problems``.

    Raises:
        UsageError: No video is named, or an output folder that may not be written.
        DataError: No frame could be read.
    """
    opened = partial(open_frames or _videos(config), _wanted(config))
    frames = opened()
    target = NewFolder(config.output, frames.paths, _MADE, RECORD, config.overwrite)
    done = SampledFrames(config.output)
    with target.written() as folder:
        (folder / "images").mkdir()
        for frame in _taken(config, frames, opened, done):
            name = store_frame(folder / "images", frame, config.image_format)
            done.frames.append(_entry(name, frame))
        done.problems = list(frames.problems)
        if not done.frames:
            raise DataError("input", done.problems)
        _write_besides(folder, done, config)
    return done


def _videos(config: FramesConfig) -> Callable[[Callable[[], Wanted]], FrameSource]:
    return lambda wanted: InputFrames(config.inputs, wanted, videos_only=True)


def _wanted(config: FramesConfig) -> Callable[[], Wanted]:
    if config.every is not None:
        count = config.every
        return lambda: every_frames(count)
    if config.seconds is None and config.pick is not None:
        return lambda: every_frames(1)
    seconds = _DEFAULT_SECONDS if config.seconds is None else config.seconds
    return lambda: every_seconds(seconds)


def _usual_step(config: FramesConfig) -> int:
    """Return about how many frames of a video there are to one that is wanted."""
    if config.every is not None:
        return config.every
    if config.seconds is None and config.pick is not None:
        return 1
    return max(1, round(_USUAL_FPS * (config.seconds or _DEFAULT_SECONDS)))


def _taken(
    config: FramesConfig,
    frames: FrameSource,
    opened: Callable[[], FrameSource],
    done: SampledFrames,
) -> Iterable[InputFrame]:
    """Yield the frames to keep; for ``--pick`` the videos are read twice and never held whole."""
    total = frames.expected(_usual_step(config))
    if config.pick is None:
        for frame in with_progress(frames, total=total, doing="reading videos"):
            done.candidates += 1
            yield frame
        return
    stems: list[str] = []
    features: list[NDArray[np.float32]] = []
    for frame in with_progress(frames, total=total, doing="comparing frames"):
        stems.append(frame.stem)
        features.append(thumbnail(frame.rgb))
    done.candidates = len(stems)
    if not stems:
        return
    chosen = {stems[place] for place in farthest_first(np.stack(features), config.pick)}
    for frame in with_progress(opened(), total=total, doing="writing frames"):
        if frame.stem in chosen:
            yield frame


def _entry(name: str, frame: InputFrame) -> dict[str, object]:
    assert frame.time_s is not None
    of_episode = {} if frame.episode is None else {"episode": frame.episode}
    return {
        "file": f"images/{name}",
        "video": str(frame.source),
        **of_episode,
        "number": frame.number,
        "time_s": round(frame.time_s, 6),
    }


def _write_besides(folder: Path, done: SampledFrames, config: FramesConfig) -> None:
    shown = [str(done.frames[place]["file"]) for place in evenly(len(done.frames), _SHEET_FRAMES)]
    tiles = [(read_image_rgb(folder / file), Path(file).stem) for file in shown]
    write_sheet(folder / "overview.jpg", tiles, columns=6)
    read = sorted({str(frame["video"]) for frame in done.frames})
    record = {
        "command": "wristseg frames",
        "options": json_values(asdict(config)),
        "videos": {video: sha256_of(Path(video)) for video in read},
        "candidates": done.candidates,
        "frames": done.frames,
        "problems": done.problems,
        "git_commit": git_commit(),
        "versions": versions(),
    }
    write_json(folder / RECORD, record)
