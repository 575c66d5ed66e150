"""Trainings small enough to run many of them: six 48x64 frames at a 32x48 network input."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.datasets import make_coco_dataset
from wristseg.configs import TrainConfig


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory):
    return make_coco_dataset(tmp_path_factory.mktemp("data") / "dataset", frames=8)


@pytest.fixture
def config(small_dataset, tmp_path):
    return TrainConfig(
        dataset_path=small_dataset,
        img_height=32,
        img_width=48,
        batch_size=2,
        epochs=2,
        lr=1e-3,
        output_dir=tmp_path / "run",
        pretrained="none",
        val_fraction=0.3,
        accelerator="cpu",
    )


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

    config = TrainConfig(
        dataset_path=small_dataset,
        img_height=32,
        img_width=48,
        batch_size=2,
        epochs=3,
        lr=1e-3,
        output_dir=tmp_path_factory.mktemp("finished") / "läuf 1 (ü)",
        pretrained="none",
        val_fraction=0.3,
        accelerator="cpu",
    )
    console = Console(file=io.StringIO(), width=200)
    summary = train(config, console=console)
    return config, summary, console.file.getvalue()
