"""What ``meta/info.json`` of a LeRobot data set says: format, frame rate, cameras, places of files.

In: the folder of a data set. Out: ``DatasetInfo``, checked. Formats: v2.0 and v2.1 have one video
per episode, v3.0 has several episodes in one
(https://huggingface.co/docs/lerobot/lerobot-dataset-v3). Called by ``lerobot.dataset``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from wristseg.data.strict_json import read_json
from wristseg.errors import DataError, UsageError

__all__ = ["INFO_PATH", "DatasetInfo", "video_info"]

INFO_PATH = Path("meta/info.json")
_FORMATS = ("v2.0", "v2.1", "v3.0")
_PLACE = re.compile(
    r"(?:[^{}]|\{(?:video_key|(?:chunk_index|file_index|episode_chunk|episode_index)(?::0\dd)?)\})+"
)
_DEFAULT_CHUNK = 1000
_CAMERA_TYPES = frozenset({"video", "image"})
#: LeRobot's own, for data sets that have no video yet.
_VIDEO_PATHS = {
    "v2": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "v3": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


@dataclass(frozen=True)
class DatasetInfo:
    """The part of ``meta/info.json`` that places frames.

    Attributes:
        root: Folder of the data set.
        version: ``v2.0``, ``v2.1`` or ``v3.0``.
        fps: Frames per second of every episode.
        cameras: Names of the cameras; depth maps are none.
        image_cameras: Names of those whose frames lie as images in the tables, not in videos.
        mask_cameras: Names of those that hold masks of ``wristseg lerobot-masks``.
        video_path: Template of a video's path below ``root``; the format's own where the data set
            has no video.
        data_path: Template of the path of a table with frames.
        chunk_size: Episodes per folder (v2).
        raw: The whole file.
    """

    root: Path
    version: str
    fps: float
    cameras: tuple[str, ...]
    image_cameras: tuple[str, ...]
    mask_cameras: tuple[str, ...]
    video_path: str
    data_path: str
    chunk_size: int
    raw: Mapping[str, Any]

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read and check the file.

        Raises:
            UsageError: The folder is no LeRobot data set, or one of a format that is not known.
            DataError: The file breaks a rule; all faults are listed.
        """
        path = root / INFO_PATH
        if not path.is_file():
            raise UsageError(
                f"{root}: no LeRobot data set, there is no {INFO_PATH} in it; give the folder that "
                "holds meta, data and videos"
            )
        raw, faults = read_json(path)
        if not isinstance(raw, dict):
            raise DataError(path, "expected an object")
        version = raw.get("codebase_version")
        if version not in _FORMATS:
            raise UsageError(f"{path}: format {version}, expected one of {', '.join(_FORMATS)}")
        problems = faults + _problems(raw)
        if problems:
            raise DataError(path, problems)
        features = raw["features"]
        return cls(
            root=root,
            version=version,
            fps=float(raw["fps"]),
            cameras=_named(features, _CAMERA_TYPES),
            image_cameras=_named(features, {"image"}),
            mask_cameras=tuple(n for n in features if "wristseg" in video_info(features[n])),
            video_path=raw.get("video_path") or _VIDEO_PATHS[version[:2]],
            data_path=raw.get("data_path") or "",
            chunk_size=int(raw.get("chunks_size") or _DEFAULT_CHUNK),
            raw=raw,
        )

    def camera(self, asked: str | None) -> str:
        """Return the whole name of the camera that was asked for, or of the obvious one.

        Args:
            asked: A whole name or its last part; None for the only camera, or the only one with
                ``wrist`` in its name, masks aside.

        Raises:
            UsageError: There is no such camera, or none that is obvious; lists those there are.
        """
        if asked is None:
            pictures = [name for name in self.cameras if name not in self.mask_cameras]
            wrist = [name for name in pictures if "wrist" in name.lower()]
            found = pictures if len(pictures) == 1 else wrist
        else:
            exact = [name for name in self.cameras if name == asked]
            found = exact or [name for name in self.cameras if name.rpartition(".")[2] == asked]
        if len(found) == 1:
            return found[0]
        given = "no --camera was given" if asked is None else f"--camera {asked}"
        there = ", ".join(self.cameras) or "there is none"
        raise UsageError(f"{self.root}: {given}; cameras: {there}")

    def feature(self, camera: str) -> Mapping[str, Any]:
        """Return what the file says about a camera."""
        feature: Mapping[str, Any] = self.raw["features"][camera]
        return feature

    def size_hw(self, camera: str) -> tuple[int, int]:
        """Return a camera's height and width, whatever order the file lists them in."""
        feature = self.feature(camera)
        by_name = dict(zip(feature["names"], feature["shape"], strict=True))
        return int(by_name["height"]), int(by_name["width"])


def video_info(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a feature says about its video; empty where it says nothing."""
    found = feature.get("info") or feature.get("video_info")
    return found if isinstance(found, dict) else {}


def _problems(raw: Mapping[str, Any]) -> list[str]:
    problems = []
    fps = raw.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= 1000:
        problems.append(f"fps is {fps!r}, expected a number above 0, up to 1000")
    chunk = raw.get("chunks_size", _DEFAULT_CHUNK)
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        problems.append(f"chunks_size is {chunk!r}, expected a whole number above 0")
    for name in ("video_path", "data_path"):
        template = raw.get(name)
        if template is not None and not (isinstance(template, str) and _PLACE.fullmatch(template)):
            problems.append(f"{name} is {template!r}, expected a path with the known places")
    features = raw.get("features")
    if not isinstance(features, dict):
        return [*problems, "features: expected an object"]
    for name, feature in features.items():
        if not isinstance(feature, dict) or not isinstance(feature.get("dtype"), str):
            problems.append(f"feature {name}: expected an object with a dtype")
        elif feature["dtype"] in _CAMERA_TYPES:
            problems += _camera_problems(name, feature)
    if problems:
        return problems
    for path, dtype in (("video_path", "video"), ("data_path", "image")):
        if raw.get(path) is None and (named := _named(features, {dtype})):
            problems.append(f"{path} is missing, and {', '.join(named)} needs it")
    return problems


def _camera_problems(name: str, feature: Mapping[str, Any]) -> list[str]:
    shape, names = feature.get("shape"), feature.get("names")
    lists = isinstance(shape, list) and isinstance(names, list) and len(shape) == len(names)
    if not lists or not {"height", "width"} <= {str(entry) for entry in names or ()}:
        return [f"camera {name}: shape {shape} and names {names} do not say height and width"]
    if not all(isinstance(length, int) and 0 < length <= 16384 for length in shape or ()):
        return [f"camera {name}: shape {shape}, expected whole numbers from 1 to 16384"]
    if re.search(r"[/\\\0]", name) or name in {"", ".", ".."}:
        return [f"camera {name!r}: the name cannot be a folder"]
    for key in ("info", "video_info"):
        if not isinstance(feature.get(key) or {}, dict):
            return [f"camera {name}: {key} is {feature[key]!r}, expected an object"]
    return []


def _named(features: Mapping[str, Any], dtypes: Collection[str]) -> tuple[str, ...]:
    return tuple(
        name
        for name, feature in features.items()
        if feature["dtype"] in dtypes and not _is_depth(feature)
    )


def _is_depth(feature: Mapping[str, Any]) -> bool:
    info = {**(feature.get("video_info") or {}), **(feature.get("info") or {})}
    return bool(info.get("is_depth_map") or info.get("video.is_depth_map"))
