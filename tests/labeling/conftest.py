"""A small checkpoint whose masks hold several classes, and clips to label."""

from __future__ import annotations

import pytest

from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network, save_plain_checkpoint
from tests.predict.clips import make_clip
from wristseg.preprocess import PreprocessContract


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 48))


@pytest.fixture(scope="session")
def cropping_checkpoint(tmp_path_factory):
    """Sees the centre square alone, and is validated on frames of the recording ``run``."""
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_own_checkpoint(
        path,
        randomised_network(),
        preprocess=PreprocessContract((32, 32), "center-square").to_dict(),
        split={"train": ["a_frame_0001"], "val": ["run_frame_0002", "b.jpg"]},
    )


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / "run.mp4", frames=20)
