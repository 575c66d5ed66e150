"""Fixtures that every part of the tests may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.datasets import make_coco_dataset

# Read when torch is first imported. The tests run in one process per core (pytest-xdist) on small
# frames, where two threads of one process mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Some tests use ONNX Runtime without wristseg, and would report to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Many tests start processes; each would compile PyTorch anew where nothing is kept of it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Read when mujoco is first imported; machines that test have no screen.
if sys.platform == "linux":
    os.environ.setdefault("MUJOCO_GL", "egl")

# Exporting a checkpoint takes seconds; tests of the exported runtimes ask for them by name.
os.environ["WRISTSEG_RUNTIME"] = "torch"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the number of trials of a test into the report that docs/reliability.md is made from."""
    for item in items:
        marker = item.get_closest_marker("tried")
        if marker is not None:
            item.user_properties.append(("tried", marker.args[0]))


@pytest.fixture
def coco_dataset(tmp_path: Path) -> Path:
    """A data set of six labelled 48x64 frames in CVAT's layout; frame 1 is a grasp frame."""
    return make_coco_dataset(tmp_path / "dataset")
