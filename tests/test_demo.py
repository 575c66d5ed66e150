"""The demo goes the whole road and leaves one page; it never replaces what it did not make."""

from __future__ import annotations

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.datasets import make_coco_dataset
from wristseg.configs import DemoConfig
from wristseg.demo import demo
from wristseg.errors import UsageError


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with av.open(str(folder / "wave.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (48, 64, 3), np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return folder


@pytest.fixture
def config(tmp_path, clips):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=12, grasp=(1, 2))
    return DemoConfig(tmp_path / "demo", dataset_path=dataset, clips=clips, epochs=1)


def test_demo_ends_in_one_page_that_stands_alone(config, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    page = demo(config).read_text(encoding="utf-8")
    assert {"check.html", "masks", "masks_viz", "run", "clips"} <= {
        path.name for path in config.output.iterdir()
    }
    assert "Worst frames" in page
    assert "wave_overlay.mp4" in page
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', page))
    assert (config.output / "run" / "best.ckpt").is_file()
    assert (config.output / "clips" / "wave_mask.mkv").is_file()


def test_folder_of_somebody_else_is_not_replaced(config):
    config.output.mkdir()
    (config.output / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no demo made"):
        demo(config)
    assert (config.output / "thesis.txt").read_text() == "years of work"


def test_missing_clips_say_where_the_demo_runs(config, tmp_path):
    with pytest.raises(UsageError, match="in a clone of the repository"):
        demo(DemoConfig(config.output, dataset_path=config.dataset_path, clips=tmp_path / "none"))
