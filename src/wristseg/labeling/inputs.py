"""Frames of unlabelled videos and images, under names by which their recording is found again.

In: what a command line names. Out: ``InputFrame`` objects in order: of a video those that were
asked for, as ``<recording>_frame_0042``, of an image its own stem. A file that cannot be read, or
not to its end, becomes a line of ``problems``. Called by every command of this stage that goes
over frames.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.data.names import frame_stem
from wristseg.errors import DataError, UsageError
from wristseg.images import read_image_rgb
from wristseg.predict.outputs import distinct_names
from wristseg.predict.sources import Source, find_sources
from wristseg.predict.video import VideoReader

__all__ = [
    "FrameSource",
    "InputFrame",
    "InputFrames",
    "Wanted",
    "every_frames",
    "every_seconds",
    "frame_name",
    "store_frame",
]

#: Says of a video's frame, by its number from 0 and its time in seconds, whether it is wanted. One
#: is made for each video, so that it may remember.
Wanted: TypeAlias = Callable[[int, float], bool]

#: Frames are labelled and trained on: at 95 a second compression can hardly be seen.
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class InputFrame:
    """A frame nobody has labelled.

    Attributes:
        stem: Its name without suffix; no two frames of a run share one.
        rgb: (H, W, 3) uint8, upright.
        source: The image or video it is from.
        number: Its number in the video, from 0; None for an image.
        time_s: Its time in the video, seconds; None for an image.
        episode: Its episode, if the video is of a robot's data set; ``number`` and ``time_s`` then
            count from the episode's first frame.
    """

    stem: str
    rgb: NDArray[np.uint8]
    source: Path
    number: int | None = None
    time_s: float | None = None
    episode: int | None = None


class FrameSource(Protocol):
    """What a command of this stage goes over: ``InputFrames``, or another way to the same."""

    problems: list[str]

    @property
    def paths(self) -> Sequence[Path]:
        """Files that are read."""

    def __iter__(self) -> Iterator[InputFrame]: ...

    def expected(self, every: int) -> int:
        """Return about how many frames will come; see ``InputFrames.expected``."""


class InputFrames:
    """Iterates once over the frames of what was named; afterwards ``problems`` is complete.

    Args:
        texts: Paths and globs; a file that is named twice is read once.
        wanted: Makes the choice for one video; see ``Wanted``.
        videos_only: Pass over images.

    Raises:
        UsageError: A folder or glob holds no image and no video, or a file is neither; or there is
            no video and only those are asked for.
        DataError: A file is not there.
    """

    def __init__(
        self, texts: Sequence[str], wanted: Callable[[], Wanted], *, videos_only: bool = False
    ) -> None:
        found = [source for text in texts for source in find_sources(text, option="input")]
        if videos_only:
            found = [source for source in found if source.kind == "video"]
            if not found:
                raise UsageError(f"input {', '.join(texts)}: no video; images are frames already")
        by_path = {source.path.resolve(): source for source in found}
        self.sources: list[Source] = list(by_path.values())
        self.problems: list[str] = []
        self.recordings: dict[Path, str] = {
            source.path: frame_stem(name)
            for source, name in zip(self.sources, distinct_names(self.sources), strict=True)
        }
        self._wanted = wanted
        self._taken: dict[str, Path] = {}

    def __iter__(self) -> Iterator[InputFrame]:
        for source in self.sources:
            try:
                if source.kind == "image":
                    yield self._image(source.path)
                else:
                    yield from self._video(source.path)
            except DataError as error:
                self.problems.append(str(error))

    @property
    def paths(self) -> Sequence[Path]:
        """Files that are read."""
        return [source.path for source in self.sources]

    def expected(self, every: int) -> int:
        """Return about how many frames will come, by what the files declare.

        Args:
            every: How many frames of a video there are to one that is wanted.
        """
        images = sum(source.kind == "image" for source in self.sources)
        videos = (source.path for source in self.sources if source.kind == "video")
        return images + sum(_declared(path) // every for path in videos)

    def _image(self, path: Path) -> InputFrame:
        return InputFrame(self._name(self.recordings[path], path), read_image_rgb(path), path)

    def _video(self, path: Path) -> Iterator[InputFrame]:
        wanted = self._wanted()
        with VideoReader(path) as reader:
            for number, frame in enumerate(reader):
                time_s = float(frame.pts * frame.time_base)
                if wanted(number, time_s):
                    stem = self._name(frame_name(self.recordings[path], number), path)
                    yield InputFrame(stem, frame.rgb, path, number, time_s)
            if reader.decoded == 0 and not reader.problems:
                reader.problems.append("no frame can be decoded")
            self.problems += [f"{path}: {problem}" for problem in reader.problems]

    def _name(self, stem: str, path: Path) -> str:
        other = self._taken.setdefault(stem.casefold(), path)
        if other != path:
            raise UsageError(f"{other} and {path}: both give a frame {stem}; rename one of them")
        return stem


def every_frames(count: int) -> Wanted:
    """Want the first frame and every ``count``-th after it.

    >>> [number for number in range(7) if every_frames(3)(number, 0.0)]
    [0, 3, 6]
    """
    return lambda number, _time_s: number % count == 0


def every_seconds(seconds: float) -> Wanted:
    """Want the first frame, and each first one after another ``seconds`` have passed.

    >>> wanted = every_seconds(0.5)
    >>> [time_s for time_s in (0.0, 0.3, 0.6, 0.9, 1.1, 2.9, 3.0) if wanted(0, time_s)]
    [0.0, 0.6, 1.1, 2.9, 3.0]
    """
    taken = -1

    def wanted(_number: int, time_s: float) -> bool:
        nonlocal taken
        # A hair's breadth early is on time: 0.1 + 0.2 is more than 0.3.
        passed = int(time_s / seconds + 1e-6)
        if passed <= taken:
            return False
        taken = passed
        return True

    return wanted


def frame_name(recording: str, number: int) -> str:
    """Return the stem of a video's frame.

    >>> frame_name("grasp", 42)
    'grasp_frame_0042'
    """
    return f"{recording}_frame_{number:04d}"


def store_frame(folder: Path, frame: InputFrame, image_format: str) -> str:
    """Write a frame's image into a folder, and return the file's name.

    Images are copied byte for byte, by which others find the same image again; frames of videos
    are encoded as ``jpg`` or ``png``.
    """
    if frame.number is None:
        path = folder / f"{frame.stem}{frame.source.suffix}"
        shutil.copyfile(frame.source, path)
        return path.name
    path = folder / f"{frame.stem}.{image_format}"
    Image.fromarray(frame.rgb).save(path, quality=_JPEG_QUALITY)  # of no meaning to PNG
    return path.name


def _declared(path: Path) -> int:
    try:
        with VideoReader(path) as reader:
            return reader.declared_frames or 0
    except DataError:
        return 0  # told when its turn comes
