"""``index.jsonl``: one line per input, sorted, the same whatever made the outputs and how often.

Beside it ``images.coco.json``, if the job was asked for COCO files: those of all images in one.
Each part of a job (``--shard i/n``) writes its lines to a file of its own; the index is all of
them, and of one job alone. Lines are those of the manifests, which hold further facts that differ
from run to run. Called by ``batch.label``.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from wristseg.batch.store import Store, is_address

__all__ = ["IMAGE_COCO", "INDEX", "entries_of", "write_index"]

INDEX = "index.jsonl"
IMAGE_COCO = "images.coco.json"
_PARTS = "parts"


def write_index(
    store: Store, entries: Iterable[Mapping[str, Any]], *, job: str, part: tuple[int, int]
) -> list[dict[str, Any]]:
    """Write the lines of a part of the job, and index and COCO file of all parts there are so far.

    Args:
        store: Where outputs go.
        entries: The lines of this part.
        job: ``Job.digest``; lines of parts that another job has left are given up.
        part: Its number, from 0, and the number of parts.

    Returns:
        All lines of the index.
    """
    number, parts = part
    own = f"{_PARTS}/{job}-{number + 1:06d}-of-{parts:06d}.jsonl"
    store.write_text(own, _lines(entries))
    for name in store.names(_PARTS, ".jsonl"):
        base = PurePosixPath(name).name
        if not (base.startswith(f"{job}-") and base.endswith(f"-of-{parts:06d}.jsonl")):
            store.delete(name)  # of another job, or of one that was divided in another way
    while True:
        names = store.names(_PARTS, ".jsonl")
        lines = [entry for name in names for entry in entries_of(store, name)]
        lines.sort(key=lambda entry: str(entry["input"]))
        store.write_text(INDEX, _lines(lines))
        _write_image_coco(store, lines)
        # Another part that ended meanwhile may have been overwritten by these.
        if store.names(_PARTS, ".jsonl") == names:
            return lines


def entries_of(store: Store, name: str = INDEX) -> Iterator[dict[str, Any]]:
    """Yield the lines of an index, or of a part of it."""
    for line in (store.read_text(name) or "").splitlines():
        yield json.loads(line)


def _write_image_coco(store: Store, entries: Iterable[Mapping[str, Any]]) -> None:
    """Join the COCO files of all images to one, in which each image has its own name again.

    Where two of them share a name, all are named from the folder on that they have in common. If
    no image has a COCO file, there is none of all of them; one of an earlier job goes.
    """
    joined: dict[str, Any] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    found = [entry for entry in entries if entry["kind"] == "image"]
    file_names = _file_names([str(entry["input"]) for entry in found])
    for entry, file_name in zip(found, file_names, strict=True):
        name = next((name for name in entry["outputs"] if name.endswith(".coco.json")), None)
        if name is None:
            continue
        text = store.read_text(name)
        if text is None:
            continue
        said = json.loads(text)
        joined = joined or {"info": said["info"], "categories": said["categories"]}
        image_id = len(images) + 1
        images.append({**said["images"][0], "id": image_id, "file_name": file_name})
        for annotation in said["annotations"]:
            numbers = {"id": len(annotations) + 1, "image_id": image_id}
            annotations.append({**annotation, **numbers})
    if not images:
        store.delete(IMAGE_COCO)
        return
    content = {**joined, "images": images, "annotations": annotations}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    store.write_text(IMAGE_COCO, text + "\n")


def _file_names(inputs: Sequence[str]) -> list[str]:
    """Return names that differ, and are short.

    >>> _file_names(["a/1.png", "b/2.png"]), _file_names(["x/a/1.png", "x/b/1.png"])
    (['1.png', '2.png'], ['a/1.png', 'b/1.png'])
    """
    paths = [
        PurePosixPath(name if is_address(name) else os.path.normpath(Path(name).absolute()))
        for name in inputs
    ]
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    columns = zip(*(path.parts[:-1] for path in paths), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda parts: len(set(parts)) == 1, columns))
    return ["/".join(path.parts[shared:]).lstrip("/") for path in paths]


def _lines(entries: Iterable[Mapping[str, Any]]) -> str:
    ordered = sorted(entries, key=lambda entry: str(entry["input"]))
    return "".join(
        json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n" for entry in ordered
    )
