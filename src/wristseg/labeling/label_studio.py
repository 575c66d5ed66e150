"""Predictions for Label Studio: tasks with brush masks or polygons, and the labelling interface.

Brush masks are run lengths of the bytes of an RGBA picture in Label Studio's bit format: 32 bits
with the number of bytes, 5 with the bits per byte less 1, four times 4 with the bits of a length
less 1; then per run a 1, 2 bits that choose one of these four, the length less 1, the byte. Format
of tasks: https://labelstud.io/guide/predictions.html. Called by ``preannotate``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.predict.polygons import outlines

__all__ = ["brush_rle", "image_address", "label_config", "task"]

#: Names of the controls in the labelling interface.
_IMAGE, _LABELS = "image", "label"

_CHANNELS = 4
_BYTE_BITS = 8
#: Bits of a run's length: short runs take few, the longest run has 65,536 bytes.
_LENGTH_BITS = (3, 4, 8, 16)


def task(
    image: str,
    mask: NDArray[np.uint8],
    classes: ClassTable,
    *,
    shape: str,
    tolerance_px: float,
    model_version: str,
) -> dict[str, Any]:
    """Return one task with its prediction.

    Args:
        image: Address of the image as Label Studio will load it.
        mask: (H, W) uint8, class ids; class 0 is left out.
        classes: Class table of the mask.
        shape: ``rle`` for one brush mask per class, ``polygon`` for one polygon per region.
        tolerance_px: How far polygons may lie from the pixels' borders.
        model_version: Name of the model, shown beside the prediction.
    """
    height, width = mask.shape
    common = {
        "from_name": _LABELS,
        "to_name": _IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    values = _polygons(mask, classes, tolerance_px) if shape == "polygon" else _brush(mask, classes)
    kind = _kind(shape)
    results = [
        {"id": f"{kind[:4]}{i:06d}", "type": kind, **common, "value": value}
        for i, value in enumerate(values)
    ]
    prediction = {"model_version": model_version, "result": results}
    return {"data": {_IMAGE: image}, "predictions": [prediction]}


def image_address(prefix: str, file_name: str) -> str:
    """Return what a task says of an image: the prefix, and the name as addresses spell it."""
    return prefix + quote(file_name)


def label_config(classes: ClassTable, *, shape: str) -> str:
    """Return the labelling interface (XML) whose names the tasks use."""
    tag = "PolygonLabels" if shape == "polygon" else "BrushLabels"
    labels = [
        f"    <Label value={quoteattr(name)} background="
        f"{quoteattr('#{:02x}{:02x}{:02x}'.format(*color))}/>"
        for name, color in list(zip(classes.names, classes.colors_rgb, strict=True))[1:]
    ]
    lines = [
        "<View>",
        f'  <Image name="{_IMAGE}" value="${_IMAGE}" zoom="true"/>',
        f'  <{tag} name="{_LABELS}" toName="{_IMAGE}">',
        *labels,
        f"  </{tag}>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def brush_rle(region: NDArray[np.bool_]) -> list[int]:
    """Return a mask in Label Studio's run lengths.

    Args:
        region: (H, W) bool.

    Returns:
        Bytes, 0 to 255.

    >>> brush_rle(np.ones((1, 1), bool))
    [0, 0, 0, 4, 57, 27, 252, 127, 224]
    """
    flat = region.ravel()
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], borders, [flat.size]))
    text = [f"{flat.size * _CHANNELS:032b}", f"{_BYTE_BITS - 1:05b}"]
    text += [f"{bits - 1:04b}" for bits in _LENGTH_BITS]
    for start, length in zip(edges[:-1].tolist(), np.diff(edges).tolist(), strict=True):
        text += _run(length * _CHANNELS, 255 if flat[start] else 0)
    joined = "".join(text)
    joined += "0" * (-len(joined) % 8)
    return list(int(joined, 2).to_bytes(len(joined) // 8, "big"))


def _run(length: int, byte: int) -> Iterator[str]:
    while length > 0:
        part = min(length, 1 << _LENGTH_BITS[-1])
        choice = next(i for i, bits in enumerate(_LENGTH_BITS) if part <= 1 << bits)
        yield f"1{choice:02b}{part - 1:0{_LENGTH_BITS[choice]}b}{byte:08b}"
        length -= part


def _kind(shape: str) -> str:
    return "polygonlabels" if shape == "polygon" else "brushlabels"


def _brush(mask: NDArray[np.uint8], classes: ClassTable) -> list[dict[str, Any]]:
    return [
        {"format": "rle", "rle": brush_rle(mask == class_id), "brushlabels": [name]}
        for class_id, name in _drawn(mask, classes)
    ]


def _polygons(
    mask: NDArray[np.uint8], classes: ClassTable, tolerance_px: float
) -> list[dict[str, Any]]:
    size_wh = np.array(mask.shape[::-1], np.float64)
    return [
        {
            "points": (100 * outline.points_xy / size_wh).round(6).tolist(),
            "closed": True,
            "polygonlabels": [name],
        }
        for class_id, name in _drawn(mask, classes)
        for outline in outlines(np.asarray(mask == class_id, np.uint8), tolerance_px=tolerance_px)
    ]


def _drawn(mask: NDArray[np.uint8], classes: ClassTable) -> Sequence[tuple[int, str]]:
    found = set(np.unique(mask).tolist())
    return [(i, name) for i, name in enumerate(classes.names) if i > 0 and i in found]
