"""Where the frames of each episode lie: in which file, from which second on, how many.

In: the folder of a LeRobot data set. Out: the files of a camera in order, each with its episodes:
videos, or tables whose rows hold images.
Called by ``lerobot.masks`` and ``lerobot.input_frames``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wristseg.errors import DataError
from wristseg.lerobot.info import DatasetInfo
from wristseg.lerobot.tables import read_rows

__all__ = [
    "EPISODES_FOLDER",
    "EPISODES_LINES",
    "CameraFile",
    "Span",
    "camera_files",
    "json_lines",
]

#: v3.0: tables below it. v2: one line of JSON per episode.
EPISODES_FOLDER = Path("meta/episodes")
EPISODES_LINES = Path("meta/episodes.jsonl")
_MAX_FRAMES = 10**8


@dataclass(frozen=True)
class Span:
    """An episode's part of a file.

    Attributes:
        episode: The episode's number.
        length: Its frames.
        start_s: Time of its first frame in the file, seconds.
    """

    episode: int
    length: int
    start_s: float


@dataclass(frozen=True)
class CameraFile:
    """A file with frames of one camera.

    Attributes:
        path: The file: a video, or a table.
        place: Its path below the data set's folder.
        mask_place: Path of the video in which its masks go, below the data set's folder.
        spans: Its episodes, by time.
        column: Name of the column of images; None for a video.
    """

    path: Path
    place: Path
    mask_place: Path
    spans: tuple[Span, ...]
    column: str | None = None

    @property
    def frames(self) -> int:
        """Frames of all its episodes."""
        return sum(span.length for span in self.spans)


def camera_files(info: DatasetInfo, camera: str, *, mask_camera: str = "") -> list[CameraFile]:
    """Return the files of a camera, in the order of their episodes.

    Args:
        info: The data set.
        camera: Whole name of a camera.
        mask_camera: Name that ``mask_place`` is made with.

    Raises:
        DataError: The tables of episodes break a rule, or a file is missing; all are listed.
        MissingExtraError: The format needs pyarrow, which is not installed.
    """
    read = _v3_rows if info.version == "v3.0" else _v2_rows
    is_image = camera in info.image_cameras
    spans: dict[tuple[Path, Path], list[Span]] = {}
    seen: set[int] = set()
    for values, span in read(info, camera):
        if span.episode in seen:
            raise DataError(info.root, f"episode {span.episode} stands twice in the tables")
        seen.add(span.episode)
        template = info.data_path if is_image else info.video_path
        place = Path(template.format(video_key=camera, **values))
        mask_place = Path(info.video_path.format(video_key=mask_camera, **values))
        spans.setdefault((place, mask_place), []).append(span)
    if not spans:
        raise DataError(info.root, "there is no episode in it")
    files = [
        CameraFile(
            info.root / place,
            place,
            mask_place,
            _one_after_another(found, info.fps) if is_image else _by_time(found),
            camera if is_image else None,
        )
        for (place, mask_place), found in spans.items()
    ]
    problems = [problem for file in files for problem in _file_problems(file)]
    if problems:
        raise DataError(info.root, problems)
    return sorted(files, key=lambda file: file.spans[0].episode)


def _by_time(spans: list[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: (span.start_s, span.episode)))


def _one_after_another(spans: list[Span], fps: float) -> tuple[Span, ...]:
    """Give the episodes of a table their times: a row per frame, in the order of episodes."""
    placed, rows = [], 0
    for span in sorted(spans, key=lambda span: span.episode):
        placed.append(replace(span, start_s=rows / fps))
        rows += span.length
    return tuple(placed)


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
    is_image = camera in info.image_cameras
    where = "data" if is_image else f"videos/{camera}"
    names = {name: f"{where}/{name}" for name in ("chunk_index", "file_index")}
    start = [] if is_image else [f"{where}/from_timestamp"]
    for path in sorted((info.root / EPISODES_FOLDER).rglob("*.parquet")):
        for row in read_rows(path, ["episode_index", "length", *names.values(), *start]):
            values = {name: _whole(path, row, column) for name, column in names.items()}
            length = _whole(path, row, "length", least=1)
            start_s = sum(_seconds(path, row, column) for column in start)
            yield values, Span(_whole(path, row, "episode_index"), length, start_s)


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


def _file_problems(file: CameraFile) -> list[str]:
    if file.place.is_absolute() or ".." in file.place.parts:
        return [f"{file.place}: the path of a file leads out of the data set"]
    if not file.path.is_file():
        return [
            f"{file.place}: the frames of episode {file.spans[0].episode} are missing; download "
            "the data set with its data and videos"
        ]
    return []
