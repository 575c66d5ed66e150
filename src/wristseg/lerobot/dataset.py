"""Where the frames of each episode lie: in which video, from which second on, how many.

In: the folder of a LeRobot data set. Out: the videos of a camera in order, each with its episodes.
Called by ``lerobot.masks`` and ``labeling.episodes``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wristseg.errors import DataError
from wristseg.lerobot.info import DatasetInfo
from wristseg.lerobot.tables import read_rows

__all__ = [
    "EPISODES_FOLDER",
    "EPISODES_LINES",
    "CameraVideo",
    "Span",
    "camera_videos",
    "json_lines",
]

#: v3.0: tables below it. v2: one line of JSON per episode.
EPISODES_FOLDER = Path("meta/episodes")
EPISODES_LINES = Path("meta/episodes.jsonl")
_MAX_FRAMES = 10**8


@dataclass(frozen=True)
class Span:
    """An episode's part of a video.

    Attributes:
        episode: The episode's number.
        length: Its frames.
        start_s: Time of its first frame in the video, seconds.
    """

    episode: int
    length: int
    start_s: float


@dataclass(frozen=True)
class CameraVideo:
    """A video of one camera.

    Attributes:
        path: The file.
        place: Its path below the data set's folder.
        mask_place: Path of the video in which its masks go, below the data set's folder.
        spans: Its episodes, by time.
    """

    path: Path
    place: Path
    mask_place: Path
    spans: tuple[Span, ...]

    @property
    def frames(self) -> int:
        """Frames of all its episodes."""
        return sum(span.length for span in self.spans)


def camera_videos(info: DatasetInfo, camera: str, *, mask_camera: str = "") -> list[CameraVideo]:
    """Return the videos of a camera, in the order of their episodes.

    Args:
        info: The data set.
        camera: Whole name of a camera.
        mask_camera: Name that ``mask_place`` is made with.

    Raises:
        DataError: The tables of episodes break a rule, or a video is missing; all are listed.
        MissingExtraError: The format needs pyarrow, which is not installed.
    """
    read = _v3_rows if info.version == "v3.0" else _v2_rows
    spans: dict[tuple[Path, Path], list[Span]] = {}
    seen: set[int] = set()
    for values, span in read(info, camera):
        if span.episode in seen:
            raise DataError(info.root, f"episode {span.episode} stands twice in the tables")
        seen.add(span.episode)
        place, mask_place = (
            Path(info.video_path.format(video_key=key, **values)) for key in (camera, mask_camera)
        )
        spans.setdefault((place, mask_place), []).append(span)
    if not spans:
        raise DataError(info.root, "there is no episode in it")
    videos = [
        CameraVideo(
            info.root / place,
            place,
            mask_place,
            tuple(sorted(found, key=lambda span: (span.start_s, span.episode))),
        )
        for (place, mask_place), found in spans.items()
    ]
    problems = [problem for video in videos for problem in _file_problems(video)]
    if problems:
        raise DataError(info.root, problems)
    return sorted(videos, key=lambda video: video.spans[0].episode)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file with one JSON object per line.

    Raises:
        DataError: It cannot be read, or a line is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(path, f"line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(path, f"line {number}: expected an object")
        rows.append(row)
    return rows


def _v2_rows(info: DatasetInfo, _camera: str) -> Iterable[tuple[dict[str, int], Span]]:
    path = info.root / EPISODES_LINES
    for row in json_lines(path):
        episode = _whole(path, row, "episode_index")
        length = _whole(path, row, "length", least=1)
        values = {"episode_chunk": episode // info.chunk_size, "episode_index": episode}
        yield values, Span(episode, length, 0.0)


def _v3_rows(info: DatasetInfo, camera: str) -> Iterable[tuple[dict[str, int], Span]]:
    names = {name: f"videos/{camera}/{name}" for name in ("chunk_index", "file_index")}
    start = f"videos/{camera}/from_timestamp"
    for path in sorted((info.root / EPISODES_FOLDER).rglob("*.parquet")):
        for row in read_rows(path, ["episode_index", "length", *names.values(), start]):
            values = {name: _whole(path, row, column) for name, column in names.items()}
            length = _whole(path, row, "length", least=1)
            yield (
                values,
                Span(_whole(path, row, "episode_index"), length, _seconds(path, row, start)),
            )


def _whole(path: Path, row: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_FRAMES:
        raise DataError(path, f"{name} is {value!r}, expected a whole number from {least} on")
    return value


def _seconds(path: Path, row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e7:
        raise DataError(path, f"{name} is {value!r}, expected seconds from 0 on")
    return float(value)


def _file_problems(video: CameraVideo) -> list[str]:
    if video.place.is_absolute() or ".." in video.place.parts:
        return [f"{video.place}: the path of a video leads out of the data set"]
    if not video.path.is_file():
        return [
            f"{video.place}: the video of episode {video.spans[0].episode} is missing; download "
            "the data set with its videos"
        ]
    return []
