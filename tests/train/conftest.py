"""Trainings small enough to run many of them: eight 48x64 frames at a 32x48 network input."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.datasets import make_coco_dataset
from wristseg.configs import TrainConfig


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory):
    return make_coco_dataset(tmp_path_factory.mktemp("data") / "dataset", frames=8)


def small_config(dataset, output_dir, *, epochs):
    return TrainConfig(
        dataset_path=dataset,
        img_height=32,
        img_width=48,
        batch_size=2,
        epochs=epochs,
        lr=1e-3,
        output_dir=output_dir,
        pretrained="none",
        val_fraction=0.3,
        accelerator="cpu",
    )


@pytest.fixture
def config(small_dataset, tmp_path):
    return small_config(small_dataset, tmp_path / "run", epochs=2)


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def bare(monkeypatch):
    """Leave out the pictures and tables at the end, which take longer than a small training."""
    monkeypatch.setattr("wristseg.train.fit.finish_run", lambda *args, **kwargs: None)


@pytest.fixture(scope="session")
def finished_run(small_dataset, tmp_path_factory):
    """A run folder with three epochs; read it, do not write into it."""
    from wristseg.train.fit import train

    folder = tmp_path_factory.mktemp("finished") / "läuf 1 (ü)"
    config = small_config(small_dataset, folder, epochs=3)
    console = Console(file=io.StringIO(), width=200)
    summary = train(config, console=console)
    return config, summary, console.file.getvalue()
