"""The script at its fixed path, called in both ways that people call it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = _ROOT / "src" / "training" / "infer_efficientvit_seg.py"


@pytest.mark.parametrize("call", [[str(_SCRIPT)], ["-m", "src.training.infer_efficientvit_seg"]])
def test_script_runs_as_a_path_and_as_a_module(call):
    done = subprocess.run(
        [sys.executable, *call, "--help"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for option in ("--checkpoint", "--input", "--output", "--device", "--alpha", "--save-mask"):
        assert option in done.stdout


def test_script_is_a_shim():
    assert len(_SCRIPT.read_text().splitlines()) <= 15


def test_old_import_gives_the_class_of_the_package():
    import wristseg.predict
    from src.training.infer_efficientvit_seg import SegmentationInference

    assert SegmentationInference is wristseg.predict.SegmentationInference
