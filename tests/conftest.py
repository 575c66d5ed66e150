"""Fixtures that every part of the tests may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.datasets import make_coco_dataset


@pytest.fixture
def coco_dataset(tmp_path: Path) -> Path:
    """A data set of six labelled 48x64 frames in CVAT's layout; frame 1 is a grasp frame."""
    return make_coco_dataset(tmp_path / "dataset")


@pytest.fixture(scope="session")
def _usual_threads() -> int:
    return torch.get_num_threads()


@pytest.fixture
def one_thread(_usual_threads: int) -> Iterator[None]:
    """Compute in one thread: for small frames on a busy machine, two mostly wait for each other."""
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(_usual_threads)
