"""Small LeRobot data sets in both formats, written without the lerobot package."""

from __future__ import annotations

import hashlib
import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.predict.clips import frame_picture

__all__ = ["CAMERA", "FPS", "decoded_ids", "make_dataset", "tree"]

CAMERA = "observation.images.wrist"
FPS = 30
_STATS = ("min", "max", "mean", "std", "count")
_PLACES = {
    "v2.1": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "v3.0": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


def make_dataset(
    folder: Path,
    version: str,
    *,
    lengths: tuple[int, ...] = (4, 6, 3),
    size_hw: tuple[int, int] = (48, 64),
    cameras: tuple[str, ...] = (CAMERA, "observation.images.front"),
    images: tuple[str, ...] = (),
) -> Path:
    """Write a data set of ``lengths`` frames by episode; v3.0 has the last in a second video.

    Cameras in ``images`` are stored as PNG images in the tables of frames.
    """
    videos = tuple(camera for camera in cameras if camera not in images)
    for camera in videos:
        for place, episodes in _videos(version, camera, lengths):
            start = sum(lengths[: episodes[0]])
            count = sum(lengths[i] for i in episodes)
            _encode(folder / place, start, count, size_hw, camera)
    _write_data(folder, version, lengths, images, size_hw)
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    info = _info(version, lengths, size_hw, cameras, images)
    (folder / "meta/info.json").write_text(json.dumps(info, indent=4))
    (folder / "README.md").write_text("# A data set\n")
    stats = {name: _stats(camera=True) for name in cameras} | {"action": _stats(camera=False)}
    if version == "v2.1":
        _write_lines(folder / "meta/tasks.jsonl", [{"task_index": 0, "task": "pick"}])
        rows = [
            {"episode_index": i, "tasks": ["pick"], "length": length}
            for i, length in enumerate(lengths)
        ]
        _write_lines(folder / "meta/episodes.jsonl", rows)
        rows = [{"episode_index": i, "stats": stats} for i in range(len(lengths))]
        _write_lines(folder / "meta/episodes_stats.jsonl", rows)
    else:
        (folder / "meta/stats.json").write_text(json.dumps(stats))
        _write_episodes(folder, lengths, videos, images)
    return folder


def decoded_ids(path: Path, step: int) -> list[np.ndarray]:
    """The ids of a mask video's frames, decoded to RGB by PyAV alone."""
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert all((frame == frame[..., :1]).all() for frame in frames)
    return [np.round(frame[..., 0] / step).astype(np.uint8) for frame in frames]


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 by path of everything in a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _videos(version: str, camera: str, lengths: tuple[int, ...]):
    """Place and episodes of each video."""
    count = len(lengths)
    if version == "v2.1":
        for i in range(count):
            values = {"episode_chunk": 0, "episode_index": i, "video_key": camera}
            yield _PLACES[version].format(**values), [i]
        return
    parts = [list(range(max(1, count - 1))), [count - 1]] if count > 1 else [[0]]
    for number, episodes in enumerate(parts):
        values = {"chunk_index": 0, "file_index": number, "video_key": camera}
        yield _PLACES[version].format(**values), episodes


def _encode(path: Path, start: int, count: int, size_hw: tuple[int, int], camera: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "18", "g": "2"})
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuv420p" if size_hw[0] % 2 == size_hw[1] % 2 == 0 else "yuv444p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for i in range(start, start + count):
            picture = frame_picture(i, size_hw)
            turned = picture if camera == CAMERA else np.ascontiguousarray(picture[::-1])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(turned, format="rgb24")))
        container.mux(stream.encode(None))


def _info(version, lengths, size_hw, cameras, images):
    camera = {
        "dtype": "video",
        "shape": [*size_hw, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": size_hw[0],
            "video.width": size_hw[1],
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": FPS,
            "video.channels": 3,
            "has_audio": False,
        },
    }
    image = {"dtype": "image", "shape": [*size_hw, 3], "names": ["height", "width", "channels"]}
    counters = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    features = {name: image if name in images else camera for name in cameras} | {
        "action": {"dtype": "float32", "shape": [2], "names": ["a", "b"]},
        **{
            name: {
                "dtype": "float32" if name == "timestamp" else "int64",
                "shape": [1],
                "names": None,
            }
            for name in counters
        },
    }
    data = {
        "v2.1": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "v3.0": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    }
    count = len(cameras) - len(images)
    videos = {"total_videos": len(lengths) * count, "total_chunks": 1}
    return {
        "codebase_version": version,
        "robot_type": "so101",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": 1,
        **(videos if version == "v2.1" else {}),
        "chunks_size": 1000,
        "fps": FPS,
        "splits": {"train": f"0:{len(lengths)}"},
        "data_path": data[version],
        "video_path": _PLACES[version] if count else None,
        "features": features,
    }


def _png(number: int, size_hw: tuple[int, int]) -> dict[str, object]:
    stream = io.BytesIO()
    Image.fromarray(frame_picture(number, size_hw)).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": f"frame-{number:06d}.png"}


def _write_data(folder, version, lengths, images, size_hw) -> None:
    rows = [
        {
            "action": [0.5, float(i)],
            "timestamp": i / FPS,
            "frame_index": i,
            "episode_index": episode,
            "index": sum(lengths[:episode]) + i,
            "task_index": 0,
            **{name: _png(sum(lengths[:episode]) + i, size_hw) for name in images},
        }
        for episode, length in enumerate(lengths)
        for i in range(length)
    ]
    schema = pa.schema(
        [
            ("action", pa.list_(pa.float32())),
            ("timestamp", pa.float32()),
            *((name, pa.int64()) for name in list(rows[0])[2:6]),
            *((name, pa.struct({"bytes": pa.binary(), "path": pa.string()})) for name in images),
        ]
    )
    places = {
        "v2.1": [f"episode_{i:06d}" for i in range(len(lengths))],
        "v3.0": ["file-000"],
    }[version]
    for i, place in enumerate(places):
        own = [row for row in rows if version == "v3.0" or row["episode_index"] == i]
        path = folder / f"data/chunk-000/{place}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(own, schema=schema), path)


def _write_episodes(folder, lengths, cameras, images) -> None:
    rows = []
    for i, length in enumerate(lengths):
        start = sum(lengths[:i])
        row = {
            "episode_index": i,
            "tasks": ["pick"],
            "length": length,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": start,
            "dataset_to_index": start + length,
        }
        for camera in cameras:
            videos = list(_videos("v3.0", camera, lengths))
            number = next(k for k, (_, episodes) in enumerate(videos) if i in episodes)
            before = sum(lengths[videos[number][1][0] : i])
            row |= {
                f"videos/{camera}/chunk_index": 0,
                f"videos/{camera}/file_index": number,
                f"videos/{camera}/from_timestamp": before / FPS,
                f"videos/{camera}/to_timestamp": (before + length) / FPS,
            }
        for camera in (*cameras, *images):
            row |= {f"stats/{camera}/{k}": v for k, v in _stats(camera=True).items()}
        rows.append(row)
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    tasks = pa.table({"task_index": [0], "task": ["pick"]})
    pq.write_table(tasks, folder / "meta/tasks.parquet")


def _stats(*, camera: bool) -> dict[str, list]:
    value = [[[0.5]]] * 3 if camera else [0.5, 0.5]
    return {name: [3] if name == "count" else value for name in _STATS}


def _write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
