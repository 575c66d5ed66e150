"""Files of mask runs hold masks exactly, and say where they are damaged."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.predict import read_mask_runs
from wristseg.predict.mask_runs import MaskRunsWriter


def write(path, masks):
    with MaskRunsWriter(
        path, DEFAULT_CLASSES, time_base=Fraction(1, 30), origin="a test"
    ) as writer:
        for pts, mask in enumerate(masks):
            writer.write(mask, pts)
    return path


def test_what_is_written_is_read(tmp_path):
    masks = np.random.default_rng(0).integers(0, 6, (5, 7, 11), np.uint8)
    masks[3] = 0
    found = list(read_mask_runs(write(tmp_path / "m.jsonl", masks)))
    assert np.array_equal(found, masks)


def test_file_is_readable_line_by_line(tmp_path):
    mask = np.array([[0, 3], [0, 3]], np.uint8)
    head, line = write(tmp_path / "m.jsonl", [mask]).read_text().splitlines()
    assert json.loads(head)["time_base"] == [1, 30]
    assert json.loads(head)["classes"][3] == "cube"
    assert json.loads(line) == {"frame": 0, "pts": 0, "size": [2, 2], "runs": {"3": "22"}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3 is no JSON"),
        ("[]", "expected an object"),
        ('{"size": [2, 2], "runs": {"3": "23"}}', "line 3: is no mask"),
        ('{"size": [2, 2], "runs": {"300": "22"}}', "line 3: is no mask"),
        ('{"size": [99999, 99999], "runs": {}}', "size 99999x99999"),
        ('{"runs": {}}', "line 3: is no mask"),
    ],
)
def test_damage_is_named_by_its_line(tmp_path, line, said):
    path = write(tmp_path / "m.jsonl", [np.zeros((2, 2), np.uint8)])
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=said):
        list(read_mask_runs(path))


def test_another_file_is_refused(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"input": "a.mp4"}\n')
    with pytest.raises(DataError, match="is no file of mask runs"):
        list(read_mask_runs(tmp_path / "m.jsonl"))
