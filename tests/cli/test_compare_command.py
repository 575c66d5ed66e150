"""``wristseg compare``: two run folders or files, a table, and a page where one is asked for."""

from __future__ import annotations

import shutil

import pytest

from tests.datasets import make_coco_dataset
from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network
from wristseg.cli.compare import main
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.preprocess import PreprocessContract


@pytest.fixture
def run(tmp_path):
    dataset = make_coco_dataset(tmp_path / "set")
    labels = load_labels(DatasetPaths(dataset))
    stems = [frame.stem for frame in labels.frames]
    folder = tmp_path / "run"
    folder.mkdir()
    save_own_checkpoint(
        folder / "best.ckpt",
        randomised_network(),
        preprocess=PreprocessContract((32, 48)).to_dict(),
        dataset_sha256=labels.sha256,
        split={"train": stems[:3], "val": stems[3:]},
        config={"dataset_path": str(dataset)},
    )
    return folder


def test_folders_and_files_are_taken_alike(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "again")
    page = tmp_path / "page"
    models = [str(run), str(tmp_path / "again" / "best.ckpt")]
    assert main([*models, "--output", str(page)]) == 0
    out = capsys.readouterr().out
    assert "object/centroid_px_median" in out
    assert "within noise" in out
    assert "is better" not in out
    assert f"page: {page / 'compare.html'}" in out
    assert (page / "compare.json").is_file()


def test_what_cannot_be_compared_is_one_line(run, tmp_path, capsys):
    assert main([str(run), str(tmp_path / "set")]) == 2
    assert "holds no best.ckpt" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(run)])
    assert "required" in capsys.readouterr().err.lower()
