"""The rules for single records of a COCO file, in Python, before any native code sees a number.

Each function takes one record as JSON gave it and returns the checked value, or raises
``RuleError`` with every rule the record breaks. ``data.coco`` calls them and names the record.
Why so strict: pycocotools 2.0.11 ends by signal on NaN, infinite and huge coordinates, and returns
uninitialised memory for run lengths that do not add up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wristseg import rle
from wristseg.data.strict_json import show

__all__ = [
    "MAX_SIDE",
    "Outline",
    "RuleError",
    "check_category",
    "check_file_name",
    "check_id",
    "check_iscrowd",
    "check_segmentation",
    "check_size_hw",
]

#: Longest side of an image in pixels.
MAX_SIDE = 16384

# Runs of length 0 between others mean nothing, but some encoders write them.
_EMPTY_RUNS = 1000

_NO_OUTLINE = (
    "is a box or a point without an outline (empty segmentation); outline it or delete it in the"
    " annotation tool"
)


class RuleError(ValueError):
    """A record breaks rules; ``problems`` holds one line each."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Outline:
    """A checked segmentation: polygons, or the run lengths of a mask.

    Attributes:
        polygons_xy: Parts as x, y, x, y, ... in pixels; None for a mask.
        counts: Run lengths, column by column, zeros first; None for polygons.
        warnings: What is odd about it but has a meaning.
    """

    polygons_xy: tuple[tuple[float, ...], ...] | None
    counts: tuple[int, ...] | None
    warnings: tuple[str, ...] = ()


def check_id(record: dict[str, Any], key: str) -> int:
    """Return an id; bool, float and text are refused though Python would compare them equal."""
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleError(f"{key} is {show(value)}, expected a whole number")
    return value


def check_size_hw(record: dict[str, Any]) -> tuple[int, int]:
    """Return (height, width) of an image record, each 1 to ``MAX_SIDE``."""
    problems = [
        f"{key} is {show(record.get(key))}, expected a whole number from 1 to {MAX_SIDE}"
        for key in ("height", "width")
        if not (_is_int(record.get(key)) and 1 <= record[key] <= MAX_SIDE)
    ]
    if problems:
        raise RuleError(*problems)
    return record["height"], record["width"]


def check_file_name(record: dict[str, Any]) -> str:
    """Return a relative name with ``/`` between folders that cannot lead out of its folder."""
    name = record.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise RuleError(f"file_name is {show(name)}, expected a text")
    # Exports made on Windows separate folders by a backslash.
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or not _is_utf8(name):
        raise RuleError(f"file_name {show(name)} has characters no file name can have")
    if parts[0] == "" or re.match(r"[A-Za-z]:", name):
        raise RuleError(f"file_name {show(name)} is absolute, expected one inside the image folder")
    if ".." in parts:
        raise RuleError(f"file_name {show(name)} leads out of the image folder")
    if parts[-1] in {"", "."}:
        raise RuleError(f"file_name {show(name)} is a folder, expected an image file")
    return "/".join(part for part in parts if part not in {"", "."})


def check_category(record: dict[str, Any]) -> str:
    """Return a category's name."""
    name = record.get("name")
    if not isinstance(name, str) or not name.strip():
        raise RuleError(f"name is {show(name)}, expected a text")
    return name


def check_iscrowd(record: dict[str, Any]) -> int:
    """Return 0 or 1; tools that leave it out mean 0."""
    value = record.get("iscrowd", 0)
    if not (_is_int(value) and value in {0, 1}):
        raise RuleError(f"iscrowd is {show(value)}, expected 0 or 1")
    return int(value)


def check_segmentation(segmentation: Any, size_hw: tuple[int, int]) -> Outline:
    """Return polygons or run lengths that are safe to draw on an image of this size."""
    if segmentation is None or segmentation in ([], {}):
        raise RuleError(_NO_OUTLINE)
    if isinstance(segmentation, dict):
        return Outline(None, _check_rle(segmentation, size_hw))
    if isinstance(segmentation, list):
        return _check_polygons(segmentation, size_hw)
    raise RuleError(f"segmentation is {show(segmentation)}, expected polygons or RLE")


def _check_polygons(parts: list[Any], size_hw: tuple[int, int]) -> Outline:
    kept, problems, warnings = [], [], []
    for number, part in enumerate(parts, start=1):
        fault = _polygon_fault(part, size_hw)
        if fault is not None:
            problems.append(f"polygon part {number} {fault}")
        elif len(part) < 6:
            warnings.append(number)
        else:
            kept.append(tuple(float(value) for value in part))
    if not kept and not problems:
        problems.append("every polygon part has fewer than 3 points, which enclose nothing")
    if problems:
        raise RuleError(*problems)
    return Outline(tuple(kept), None, (*_speck_warning(warnings), *_outside_warning(kept, size_hw)))


def _polygon_fault(part: Any, size_hw: tuple[int, int]) -> str | None:
    if not isinstance(part, list):
        return f"is {show(part)}, expected a list of x, y, x, y, ..."
    if len(part) % 2 or not part:
        return f"has {len(part)} numbers, expected pairs of x and y"
    if not set(map(type, part)) <= {int, float}:
        odd = next(value for value in part if type(value) not in {int, float})
        return f"holds {show(odd)}, expected numbers"
    height, width = size_hw
    for axis, values, limit in (("x", part[0::2], width), ("y", part[1::2], height)):
        # Written so that NaN fails too.
        bad = [value for value in values if not -limit <= value <= 2 * limit]
        if bad:
            return (
                f"has {axis} = {show(bad[0])} ({len(bad)} such), expected {-limit} to {2 * limit}"
                f" on an image of {height}x{width} (h x w)"
            )
    return None


def _speck_warning(numbers: Sequence[int]) -> tuple[str, ...]:
    # SALT simplifies specks of a mask down to two points. They enclose no pixel; pycocotools would
    # take four numbers that come first for a box.
    if not numbers:
        return ()
    return (f"{len(numbers)} polygon part(s) of fewer than 3 points are left out",)


def _outside_warning(
    parts: Sequence[tuple[float, ...]], size_hw: tuple[int, int]
) -> tuple[str, ...]:
    height, width = size_hw
    xs, ys = [x for part in parts for x in part[0::2]], [y for part in parts for y in part[1::2]]
    if min(xs) >= 0 and max(xs) <= width and min(ys) >= 0 and max(ys) <= height:
        return ()
    return ("its outline lies partly outside the image",)


def _check_rle(segmentation: dict[str, Any], size_hw: tuple[int, int]) -> tuple[int, ...]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    height, width = size_hw
    problems = []
    if not (isinstance(size, list) and all(map(_is_int, size)) and size == [height, width]):
        shown = f"[{', '.join(map(show, size[:4]))}]" if isinstance(size, list) else show(size)
        problems.append(f"RLE size is {shown}, expected [{height}, {width}] (h, w) as its image")
    if isinstance(counts, str):
        try:
            counts = rle.decompress(counts, max_counts=height * width + 1 + _EMPTY_RUNS)
        except ValueError as error:
            raise RuleError(*problems, f"compressed RLE: {error}") from error
    problems += _count_faults(counts, height * width)
    if problems or counts is None:
        raise RuleError(*problems)
    return tuple(counts)


def _count_faults(counts: Any, pixels: int) -> list[str]:
    if not isinstance(counts, list) or not counts:
        return [f"RLE counts are {show(counts)}, expected run lengths"]
    if set(map(type, counts)) != {int}:
        odd = next(value for value in counts if type(value) is not int)
        return [f"RLE counts hold {show(odd)}, expected whole numbers"]
    if min(counts) < 0:
        return [f"RLE counts hold {min(counts)}, expected 0 or more"]
    if sum(counts) != pixels:
        return [f"RLE counts add up to {show(sum(counts))}, expected {pixels} (h * w)"]
    return []


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
