"""The mask camera in a data set's ``meta`` folder: feature, places, times and statistics.

In: the source's files and what was counted. Out: the same files with one camera more, everything
else in them unchanged. Called by ``lerobot.masks``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from wristseg.artifacts import json_text
from wristseg.data.strict_json import read_json
from wristseg.errors import DataError
from wristseg.lerobot.dataset import EPISODES_FOLDER, EPISODES_LINES, Span, json_lines
from wristseg.lerobot.info import INFO_PATH, DatasetInfo, video_info
from wristseg.lerobot.mask_camera import ENCODER, pixel_format
from wristseg.lerobot.mask_statistics import KNOWN_STATISTICS, ClassCounts, statistics
from wristseg.lerobot.tables import column_names, read_rows, write_with_columns

__all__ = ["MaskCamera", "changed_files", "check_sources", "write_metadata"]

_STATS = Path("meta/stats.json")
_EPISODES_STATS = Path("meta/episodes_stats.jsonl")


@dataclass(frozen=True)
class MaskCamera:
    """The camera that is added.

    Attributes:
        name: Its whole name.
        source: Whole name of the camera whose frames were segmented.
        step: Grey levels from one id to the next.
        classes: Class names by id.
        model: What says which model it was.
        counts: Pixels of each class, by episode.
        spans: Where each episode lies in the mask camera's videos.
    """

    name: str
    source: str
    step: int
    classes: tuple[str, ...]
    model: Mapping[str, str]
    counts: ClassCounts
    spans: Mapping[int, Span]


def changed_files(info: DatasetInfo, places: list[Path]) -> list[Path]:
    """Return those of a data set's files that ``write_metadata`` writes anew."""
    tables = [
        place
        for place in places
        if place.is_relative_to(EPISODES_FOLDER) and place.suffix == ".parquet"
    ]
    known = [place for place in (_STATS, _EPISODES_STATS) if place in places]
    return [INFO_PATH, *known, *(tables if info.version == "v3.0" else ())]


def check_sources(info: DatasetInfo, changed: list[Path], episodes: Collection[int]) -> None:
    """Refuse files that ``write_metadata`` could not write anew.

    Raises:
        DataError: One of them cannot be read, or has statistics of no episode.
    """
    if _STATS in changed:
        _read_stats(info.root / _STATS)
    if _EPISODES_STATS in changed:
        path = info.root / _EPISODES_STATS
        strangers = [episode for _, episode in _stat_lines(path) if episode not in episodes]
        if strangers:
            raise DataError(
                path, f"has episode {strangers[0]}, which {EPISODES_LINES} lacks; download both"
            )


def write_metadata(info: DatasetInfo, folder: Path, changed: list[Path], added: MaskCamera) -> None:
    """Write the files that change into the new data set's folder.

    Raises:
        DataError: One of the source's files cannot be read.
    """
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    for place in changed:
        source, target = info.root / place, folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if place == INFO_PATH:
            target.write_text(json_text(_larger_info(info, added)), encoding="utf-8")
        elif place == _STATS:
            target.write_text(json_text(_larger_stats(source, added)), encoding="utf-8")
        elif place == _EPISODES_STATS:
            target.write_text(_larger_lines(source, added), encoding="utf-8")
        else:
            write_with_columns(source, target, _new_columns(source, info, added))


def _larger_info(info: DatasetInfo, added: MaskCamera) -> dict[str, Any]:
    features = dict(info.raw["features"])
    features[added.name] = _feature(info, added)
    larger = {**info.raw, "video_path": info.video_path, "features": features}
    if isinstance(info.raw.get("total_videos"), int):  # v2 counts a video per episode and camera
        larger["total_videos"] = info.raw["total_videos"] + added.counts.episodes
    return larger


def _feature(info: DatasetInfo, added: MaskCamera) -> dict[str, Any]:
    source = {**info.feature(added.source), "dtype": "video"}
    known = video_info(source)
    height, width = info.size_hw(added.source)
    fps = Fraction(info.fps).limit_denominator(1001)
    said: dict[str, Any] = {
        "video.height": height,
        "video.width": width,
        "video.codec": "h264",
        "video.pix_fmt": pixel_format((height, width)),
        "video.fps": int(fps) if fps.denominator == 1 else float(fps),
        "video.channels": 3,
        "has_audio": False,
    }
    # Keys that came with later versions are written where the source has them: with them, a
    # recording that is resumed encodes this camera as it was begun.
    later: dict[str, Any] = {
        **{f"video.{name}": value for name, value in ENCODER.items()},
        "video.fast_decode": 0,
        "video.video_backend": "pyav",
        "video.extra_options": {},
        "is_depth_map": False,
        "video.is_depth_map": False,
    }
    said |= {name: value for name, value in later.items() if name in known}
    said["wristseg"] = {
        "classes": list(added.classes),
        "grey_step": added.step,
        "source_camera": added.source,
        **added.model,
    }
    source["shape"] = [
        3 if str(name).startswith("channel") else length
        for name, length in zip(source["names"], source["shape"], strict=True)
    ]
    source["video_info" if "video_info" in source and "info" not in source else "info"] = said
    return source


def _larger_stats(path: Path, added: MaskCamera) -> dict[str, Any]:
    stats = _read_stats(path)
    names = _wanted(stats.get(added.source))
    return {**stats, added.name: statistics(added.counts.total(), added.step, names)}


def _larger_lines(path: Path, added: MaskCamera) -> str:
    lines = []
    for row, episode in _stat_lines(path):
        stats = row["stats"]
        names = _wanted(stats.get(added.source))
        own = statistics(added.counts.of(episode), added.step, names)
        lines.append(json.dumps({**row, "stats": {**stats, added.name: own}}, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)


def _read_stats(path: Path) -> dict[str, Any]:
    stats, problems = read_json(path)
    if problems or not isinstance(stats, dict):
        raise DataError(path, problems or "expected an object")
    return stats


def _stat_lines(path: Path) -> list[tuple[dict[str, Any], int]]:
    """Return each line of the statistics by episode, and its episode."""
    lines = []
    for row in json_lines(path):
        episode = row.get("episode_index")
        if not isinstance(row.get("stats"), dict) or not isinstance(episode, int):
            raise DataError(path, "expected episode_index and stats in each line")
        lines.append((row, episode))
    return lines


def _wanted(of_source: object) -> list[str]:
    return list(of_source) if isinstance(of_source, dict) else list(KNOWN_STATISTICS)


def _new_columns(
    path: Path, info: DatasetInfo, added: MaskCamera
) -> dict[str, tuple[str | None, list[Any]]]:
    """Return the mask camera's columns of a table of episodes (v3.0)."""
    stats = f"stats/{added.source}/"
    names = column_names(path)
    found = _places(path, names, info, added)
    episodes = [row["episode_index"] for row in read_rows(path, ["episode_index"])]
    wanted = [name.removeprefix(stats) for name in names if name.startswith(stats)]
    by_row = [statistics(added.counts.of(episode), added.step, wanted) for episode in episodes]
    for key in wanted:
        if by_row and key in by_row[0]:
            found[f"stats/{added.name}/{key}"] = stats + key, [values[key] for values in by_row]
    return found


def _places(
    path: Path, names: list[str], info: DatasetInfo, added: MaskCamera
) -> dict[str, tuple[str | None, list[Any]]]:
    """Return the columns that say where in which video an episode's masks lie."""
    own = f"videos/{added.name}/"
    if added.source not in info.image_cameras:
        places = f"videos/{added.source}/"
        taken = [name for name in names if name.startswith(places)]
        rows = read_rows(path, taken)
        return {own + n.removeprefix(places): (n, [row[n] for row in rows]) for n in taken}
    rows = read_rows(path, ["episode_index", "data/chunk_index", "data/file_index"])
    spans = [added.spans[row["episode_index"]] for row in rows]
    columns: dict[str, tuple[str | None, list[Any]]] = {
        f"{own}{name}": (f"data/{name}", [row[f"data/{name}"] for row in rows])
        for name in ("chunk_index", "file_index")
    }
    columns[f"{own}from_timestamp"] = None, [span.start_s for span in spans]
    ends = [span.start_s + span.length / info.fps for span in spans]
    columns[f"{own}to_timestamp"] = None, ends
    return columns
