"""Stage ``wristseg lerobot-masks``: a LeRobot data set with masks of one camera as one more camera.

In: a data set and a model. Out: a data set of the same format in another folder, which appears
whole or not at all. Nothing of the source is encoded again: its videos are copied byte for byte,
and each mask has the time of its frame, so that the new camera takes over the source camera's
places and times. Every mask is decoded again and compared before anything gets its name. Called by
``cli.lerobot_masks``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.classes import ClassTable
from wristseg.data.progress import with_progress
from wristseg.errors import DataError, UsageError
from wristseg.interruption import raise_lost_signal
from wristseg.labeling.folder import NewFolder
from wristseg.labeling.sheet import Tile, evenly, write_sheet
from wristseg.lerobot.config import LerobotMasksConfig
from wristseg.lerobot.copy import copy_unchanged, files_of
from wristseg.lerobot.dataset import CameraFile, camera_files
from wristseg.lerobot.frames import EpisodeFrame, episode_frames, open_frames
from wristseg.lerobot.image_table import ImageTable
from wristseg.lerobot.info import DatasetInfo
from wristseg.lerobot.mask_camera import grey_step, mask_frames, open_mask_camera
from wristseg.lerobot.mask_statistics import ClassCounts
from wristseg.lerobot.metadata import (
    MaskCamera,
    changed_files,
    check_sources,
    write_metadata,
)
from wristseg.model_info import json_values
from wristseg.overlay import blend
from wristseg.packed_file import model_path
from wristseg.pipeline import ReadAhead
from wristseg.predict.segmenter import Segmenter
from wristseg.predict.video import TimedFrame, VideoReader

__all__ = ["RECORD", "SHEET", "WrittenMasks", "write_lerobot_masks"]

#: What is left beside the data set's own files: where the masks are from, and some to look at.
RECORD, SHEET = "wristseg_masks.json", "wristseg_masks.jpg"

_DEPTH = 2
_SHEET_FRAMES = 24


@dataclass
class WrittenMasks:
    """What a run made.

    Attributes:
        output: Folder of the new data set.
        source_camera: Whole name of the camera whose frames were segmented.
        camera: Whole name of the mask camera.
        step: Grey levels from one class id to the next.
        classes: Class names by id.
        counts: Pixels of each class, by episode.
        frames: Masks written.
        mask_bytes: Size of the mask camera's videos.
        unchanged: SHA-256 by path of the videos that are the source's, byte for byte.
    """

    output: Path
    source_camera: str
    camera: str
    step: int
    classes: ClassTable
    counts: ClassCounts
    frames: int = 0
    mask_bytes: int = 0
    unchanged: dict[str, str] = field(default_factory=dict)


def write_lerobot_masks(config: LerobotMasksConfig) -> WrittenMasks:
    """Write a data set again with masks of one camera.

    Returns:
        What was written.

    Raises:
        UsageError: No LeRobot data set, a camera or a name that cannot be, or an output folder that
            may not be written.
        CheckpointError: The model file cannot be used.
        DataError: The data set breaks a rule or a video is damaged; nothing was written.
    """
    info = DatasetInfo.read(config.dataset)
    camera = info.camera(config.camera)
    if camera in info.mask_cameras:
        raise UsageError(f"{info.root}: {camera} holds masks already; choose another --camera")
    name = config.name or f"{camera}_mask"
    if name in info.raw["features"]:
        raise UsageError(f"{info.root}: has a feature {name} already; choose another --name")
    videos = camera_files(info, camera, mask_camera=name)
    places = files_of(info.root)
    target = _target(config, places)
    spans = {span.episode: span for video in videos for span in video.spans}
    changed = changed_files(info, places)
    # Before a model is loaded for this size, and before hours of segmenting.
    check_sources(info, changed, spans)
    _check_size(info, camera, videos[0])
    segmenter = Segmenter.load(
        config.checkpoint, device=config.device, frame_hw=info.size_hw(camera)
    )
    step = grey_step(len(segmenter.classes))
    done = WrittenMasks(
        config.output, camera, name, step, segmenter.classes, ClassCounts(len(segmenter.classes))
    )
    model = _model(config)
    with target.written() as folder:
        _write_videos(_Run(info, folder, segmenter, done, _comment(done, model)), videos)
        names = tuple(segmenter.classes.names)
        added = MaskCamera(name, camera, step, names, model, done.counts, spans)
        write_metadata(info, folder, changed, added)
        kept = [place for place in places if place not in {*changed, Path(RECORD), Path(SHEET)}]
        done.unchanged = copy_unchanged(info.root, folder, kept, link=config.link)
        write_json(folder / RECORD, _record(config, info, done, model))
    return done


def _target(config: LerobotMasksConfig, places: list[Path]) -> NewFolder:
    if config.output.resolve().is_relative_to(config.dataset.resolve()):
        raise UsageError(
            f"--output {config.output}: lies in the data set {config.dataset}; choose a folder "
            "outside of it"
        )
    top = {place.parts[0] for place in places}
    made = frozenset({*top, "meta", "videos", RECORD, SHEET})
    return NewFolder(config.output, [config.dataset], made, RECORD, config.overwrite)


def _model(config: LerobotMasksConfig) -> dict[str, str]:
    path = model_path(config.checkpoint)
    return {"checkpoint": str(config.checkpoint), "checkpoint_sha256": sha256_of(path)}


def _comment(done: WrittenMasks, model: dict[str, str]) -> str:
    return (
        f"grey level = {done.step} x class id ({', '.join(done.classes.names)}); "
        f"wristseg {versions()['wristseg']}, checkpoint SHA-256 {model['checkpoint_sha256']}"
    )


@dataclass(frozen=True)
class _Run:
    """What the steps of a run share."""

    info: DatasetInfo
    folder: Path
    segmenter: Segmenter
    done: WrittenMasks
    comment: str


def _write_videos(run: _Run, videos: list[CameraFile]) -> None:
    done, total = run.done, sum(video.frames for video in videos)
    shown = set(evenly(total, _SHEET_FRAMES))
    tiles: list[Tile] = []
    with closing(_all_masks(run, videos)) as masks:
        for placed, mask in with_progress(masks, total=total, doing="segmenting"):
            raise_lost_signal()
            if placed.episode is not None:
                done.counts.add(placed.episode, mask)
            if done.frames in shown:
                picture = blend(placed.frame.rgb, mask, done.classes, alpha=0.5)
                tiles.append((picture, f"episode {placed.episode} frame {placed.number}"))
            done.frames += 1
    write_sheet(run.folder / SHEET, tiles, columns=6)


def _all_masks(
    run: _Run, videos: list[CameraFile]
) -> Generator[tuple[EpisodeFrame, NDArray[np.uint8]], None, None]:
    for video in videos:
        target = run.folder / video.mask_place
        target.parent.mkdir(parents=True, exist_ok=True)
        written: list[tuple[object, bytes]] = []
        for placed, mask in _video_masks(run, video, target):
            time_s = placed.frame.pts * placed.frame.time_base
            written.append((time_s, _digest(mask)))
            yield placed, mask
        _read_back(target, written, run.done.step)
        run.done.mask_bytes += target.stat().st_size


def _video_masks(
    run: _Run, video: CameraFile, target: Path
) -> Generator[tuple[EpisodeFrame, NDArray[np.uint8]], None, None]:
    """Segment a file's frames and encode their masks; a file that is not whole is an error."""
    missing: list[str] = []
    size_hw = run.info.size_hw(run.done.source_camera)
    with (
        open_frames(video, run.info.fps) as reader,
        ReadAhead(_timed(reader), depth=_DEPTH) as ahead,
    ):
        frames = iter(ahead)
        first = _fitting(next(frames, None), size_hw, reader, video.path)
        with open_mask_camera(
            target,
            size_hw,
            step=run.done.step,
            fps=reader.fps,
            time_base=first.time_base,
            comment=run.comment,
        ) as writer:
            for placed in episode_frames(chain([first], frames), video, run.info.fps, missing):
                mask = run.segmenter.predict_rgb(placed.frame.rgb)
                writer.write(mask, placed.frame.pts)
                yield placed, mask
    # Masks beside frames that were made up or moved would be worse than none.
    problems = reader.problems + missing
    if problems:
        raise DataError(video.path, [*problems, "record or download it again"])


def _timed(reader: VideoReader | ImageTable) -> Iterator[TimedFrame]:
    """Yield a video's frames with the file's own times, by which LeRobot finds them."""
    for frame in reader:
        yield TimedFrame(frame.rgb, frame.pts + reader.first_pts, frame.time_base)


def _check_size(info: DatasetInfo, camera: str, file: CameraFile) -> None:
    with open_frames(file, info.fps) as reader:
        _fitting(next(iter(reader), None), info.size_hw(camera), reader, file.path)


def _fitting(
    first: TimedFrame | None,
    size_hw: tuple[int, int],
    reader: VideoReader | ImageTable,
    path: Path,
) -> TimedFrame:
    """Return the first frame of a file, if there is one of the size that ``info.json`` says."""
    if first is None:
        raise DataError(path, reader.problems or "no frame can be decoded")
    height, width = first.rgb.shape[:2]
    if (height, width) != size_hw:
        said = f"info.json says {size_hw[0]}x{size_hw[1]} (h x w)"
        raise DataError(path, f"frames are {height}x{width}, {said}")
    return first


def _read_back(path: Path, written: list[tuple[object, bytes]], step: int) -> None:
    """Decode a mask video again, and compare each id and time with what was encoded."""
    found = [(time_s, _digest(mask)) for time_s, mask in mask_frames(path, step)]
    if found != written:
        wrong = sum(ours != theirs for ours, theirs in zip(found, written, strict=False))
        raise DataError(
            path,
            f"{len(found)} masks read back, {len(written)} written, {wrong} of them differ; "
            "nothing was kept, report this with the version of PyAV",
        )


def _digest(mask: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(mask.tobytes(), digest_size=16).digest()


def _record(
    config: LerobotMasksConfig, info: DatasetInfo, done: WrittenMasks, model: dict[str, str]
) -> dict[str, object]:
    pixels, _ = done.counts.total()
    return {
        "command": "wristseg lerobot-masks",
        "options": json_values(asdict(config)),
        "format": info.version,
        "source_camera": done.source_camera,
        "camera": done.camera,
        "grey_step": done.step,
        "classes": done.classes.to_dict(),
        **model,
        "frames": done.frames,
        "pixels": dict(zip(done.classes.names, pixels.tolist(), strict=True)),
        "masks_read_back": True,
        "videos_unchanged_sha256": done.unchanged,
        "git_commit": git_commit(),
        "versions": versions(),
    }
