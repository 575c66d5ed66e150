"""What a fuzzer calls: bytes in, nothing out; anything but a refusal by rule is a bug.

``tests/data/test_fuzz.py`` feeds them with every change (hypothesis), ``scripts/fuzz.py`` for as
long as it is let (atheris, guided by coverage).
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from wristseg import rle
from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.coco import examine_coco
from wristseg.data.draw import draw_mask
from wristseg.errors import DataError

__all__ = ["TARGETS", "coco_file", "rle_text"]

_MAX_COUNTS = 200
_MAX_PIXELS = 1 << 16


def coco_file(content: bytes) -> None:
    """Read bytes as a COCO file; what is let through is drawn twice and must be the same."""
    folder = _images_dir()
    annotations = folder / "coco.json"
    annotations.write_bytes(content)
    try:
        dataset, problems = examine_coco(annotations, folder, DEFAULT_CLASSES)
    except DataError as error:
        str(error)
        return
    for problem in problems:
        assert problem.text
    order = DEFAULT_CLASSES.order_ids("grasp")
    for frame in dataset.frames:
        mask = draw_mask(frame, order_ids=order)
        assert mask.shape == frame.size_hw
        assert mask.max() < len(DEFAULT_CLASSES)
        np.testing.assert_array_equal(mask, draw_mask(frame, order_ids=order))


def rle_text(content: bytes) -> None:
    """Read bytes as compressed run lengths; counts that are let through come back from a mask."""
    try:
        counts = rle.decompress(content.decode("latin-1"), max_counts=_MAX_COUNTS)
    except ValueError:
        return
    assert 0 < len(counts) <= _MAX_COUNTS
    assert min(counts) >= 0
    assert rle.decompress(rle.compress(counts), max_counts=_MAX_COUNTS) == counts
    if 0 < sum(counts) <= _MAX_PIXELS:
        mask = rle.decode(counts, (sum(counts), 1))
        assert int(mask.sum()) == sum(counts[1::2])
        np.testing.assert_array_equal(rle.decode(rle.encode(mask), mask.shape), mask)


TARGETS: dict[str, Callable[[bytes], None]] = {"coco": coco_file, "rle": rle_text}


@functools.cache
def _images_dir() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wristseg_fuzz_"))
    for name in ("a.png", "b.png"):
        Image.new("RGB", (16, 12)).save(folder / name)
    return folder
