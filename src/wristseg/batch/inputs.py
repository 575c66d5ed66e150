"""Finds what to label: videos, images, folders, globs, LeRobot data sets; on this machine or not.

In: the texts of a command line. Out: items, each once, sorted by name, so that every machine that
is given the same texts has the same list and can take its part of it. Called by ``batch.label``.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from wristseg.batch.job import Item
from wristseg.batch.store import filesystem_of, is_address, local_path
from wristseg.errors import DataError, UsageError
from wristseg.predict.sources import find_sources, source_kind

__all__ = ["find_items", "part_of"]

#: By this a folder is known to be a LeRobot data set.
_LEROBOT_INFO = "meta/info.json"


def find_items(texts: Sequence[str], *, camera: str | None) -> list[Item]:
    """Return everything that the texts name.

    Args:
        texts: Paths, globs and addresses. Folders are not searched below, ``**`` in a glob does.
        camera: Camera of LeRobot data sets.

    Raises:
        UsageError: A text names neither image nor video, there is no such camera, or a camera is
            named and no data set.
        DataError: A path does not exist, a data set breaks a rule, or names are not UTF-8.
        MissingExtraError: A library for such inputs is not installed.
    """
    items: dict[str, Item] = {}
    for text in dict.fromkeys(texts):
        path = local_path(text)
        if path is None:
            found = _remote_items(text)
        elif (path / _LEROBOT_INFO).is_file():
            found = _lerobot_items(path, camera)
        else:
            sources = find_sources(str(path), option="input")
            found = [Item(str(source.path), source.kind) for source in sources]
        for item in found:
            items.setdefault(_place(item.name), item)
    if camera is not None and not any(item.lerobot for item in items.values()):
        raise UsageError(f"--camera {camera}: no input is a LeRobot data set; leave the option out")
    return sorted(items.values(), key=lambda item: item.name)


def part_of(items: Sequence[Item], part: tuple[int, int]) -> list[Item]:
    """Return every n-th item from the i-th on; neighbours, often of one length, go to all parts.

    >>> from wristseg.batch.job import Item
    >>> [item.name for item in part_of([Item(name, "video") for name in "abcde"], (1, 2))]
    ['b', 'd']
    """
    number, parts = part
    return list(items[number::parts])


def _place(name: str) -> str:
    return name if is_address(name) else os.path.realpath(name)


def _lerobot_items(root: Path, camera: str | None) -> list[Item]:
    from wristseg.lerobot.dataset import camera_files
    from wristseg.lerobot.info import DatasetInfo

    info = DatasetInfo.read(root)
    name = info.camera(camera)
    if name in info.image_cameras:
        raise UsageError(
            f"input {root}: camera {name} is stored as images inside tables; "
            "wristseg lerobot-masks reads those"
        )
    return [
        Item(
            str(video.path),
            "video",
            {
                "dataset": root.resolve().name,
                "camera": name,
                "fps": info.fps,
                "episodes": [
                    {"episode": span.episode, "start_s": span.start_s, "length": span.length}
                    for span in video.spans
                ],
            },
        )
        for video in camera_files(info, name)
    ]


def _remote_items(text: str) -> list[Item]:
    """List an address: one file, a folder, or a glob.

    Raises:
        DataError: It cannot be reached, or nothing is there.
        UsageError: Nothing there is an image or a video.
    """
    filesystem, path = filesystem_of(text)
    scheme = text.partition("://")[0]
    try:
        if glob.has_magic(path):
            found = [str(name) for name in filesystem.glob(path)]
        elif filesystem.isfile(path):
            found = [path]
        else:
            if filesystem.exists(f"{path}/{_LEROBOT_INFO}"):
                raise UsageError(
                    f"input {text}: a LeRobot data set has to lie on this machine; or give its "
                    f"videos, such as '{text}/videos/<camera>/**/*.mp4'"
                )
            found = [str(name) for name in filesystem.ls(path, detail=False)]
    except FileNotFoundError as error:
        raise DataError(text, "no such file or folder") from error
    except UsageError:
        raise
    except Exception as error:  # each store has exceptions of its own
        raise DataError(text, f"cannot be listed: {type(error).__name__}: {error}") from error
    items = list(_known(scheme, found))
    if not items:
        raise UsageError(f"input {text}: no image or video there, by their suffixes")
    return items


def _known(scheme: str, paths: Iterable[str]) -> Iterable[Item]:
    for path in paths:
        kind = source_kind(PurePosixPath(path).name)
        if kind is not None:
            yield Item(path if is_address(path) else f"{scheme}://{path}", kind)
