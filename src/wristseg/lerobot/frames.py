"""The frames of a file, each with the episode and the number that it has there.

In: a video, or a table of images, with its spans. Out: frames in order. LeRobot finds
frame i of an episode at ``from_timestamp + i / fps`` seconds; so does this. Called by
``lerobot.masks`` and ``lerobot.input_frames``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wristseg.lerobot.dataset import CameraFile, Span
from wristseg.lerobot.image_table import ImageTable
from wristseg.predict.video import TimedFrame, VideoReader

__all__ = ["EpisodeFrame", "episode_frames", "open_frames"]

#: A frame counts as frame i if it is nearer to i's time than this share of a frame.
_NEAR = 0.25


@dataclass(frozen=True)
class EpisodeFrame:
    """A frame of a video.

    Attributes:
        frame: Picture and time in the video.
        episode: Its episode; None if it lies between two.
        number: Its number in the episode, from 0; -1 if it lies between two.
    """

    frame: TimedFrame
    episode: int | None
    number: int


def open_frames(file: CameraFile, fps: float) -> VideoReader | ImageTable:
    """Return what iterates over the frames of a file, and knows its ``problems`` afterwards.

    Args:
        file: A video, or a table of images.
        fps: Frames per second of the data set.

    Raises:
        DataError: The file is no video that can be opened.
    """
    if file.column is None:
        return VideoReader(file.path)
    return ImageTable(file.path, file.column, file.spans, fps)


def episode_frames(
    frames: Iterable[TimedFrame], video: CameraFile, fps: float, problems: list[str]
) -> Iterator[EpisodeFrame]:
    """Yield every frame with its episode; afterwards ``problems`` names the frames that lack.

    Args:
        frames: All frames of the video.
        video: Says which episodes lie where.
        fps: Frames per second of the data set.
        problems: Gets one line per episode with frames that are not there.
    """
    found = {span.episode: 0 for span in video.spans}
    spans = list(video.spans)
    for frame in frames:
        time_s = float(frame.pts * frame.time_base)
        while len(spans) > 1 and time_s > _last_s(spans[0], fps) + _NEAR / fps:
            del spans[0]
        number = _number(spans[0], time_s, fps)
        if number == found[spans[0].episode]:
            found[spans[0].episode] += 1
            yield EpisodeFrame(frame, spans[0].episode, number)
        else:
            yield EpisodeFrame(frame, None, -1)
    for span in video.spans:
        if found[span.episode] != span.length:
            missing = span.start_s + found[span.episode] / fps
            problems.append(
                f"episode {span.episode}: frame {found[span.episode]} of {span.length} is not in "
                f"the video, where second {missing:.4f} should have it"
            )


def _last_s(span: Span, fps: float) -> float:
    return span.start_s + (span.length - 1) / fps


def _number(span: Span, time_s: float, fps: float) -> int | None:
    place = (time_s - span.start_s) * fps
    number = round(place)
    return number if 0 <= number < span.length and abs(place - number) <= _NEAR else None
