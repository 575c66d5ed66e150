"""The commands of docs/how-to/label-new-frames.md work, one after another as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.datasets import make_coco_dataset
from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network
from tests.predict.clips import make_clip
from wristseg.artifacts import sha256_of
from wristseg.cli.main import main
from wristseg.preprocess import PreprocessContract

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "label-new-frames.md"

#: What makes a command small enough for a test; so short a training is sure of nothing.
_SMALL = {
    "train": "--img-height 32 --img-width 48 --batch-size 4 --epochs 2 --warmup 0 --seed 1"
    " --pretrained none --val-fraction 0.3 --accelerator cpu",
    "pseudo-label": "--confidence 0 --least-share 0",
}


def commands():
    blocks = re.findall(r"```bash\n(.*?)```", _PAGE.read_text(encoding="utf-8"), flags=re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("wristseg ")]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a data set, another of another recording, two videos and a model."""
    monkeypatch.chdir(tmp_path)
    make_coco_dataset(tmp_path / "data/dataset_v0", frames=8)
    names = [f"other_frame_{i:04d}" for i in range(4)]
    make_coco_dataset(tmp_path / "data/held_out", frames=4, names=names, seed=3)
    (tmp_path / "videos").mkdir()
    make_clip(tmp_path / "videos/phone.mp4", frames=60)
    make_clip(tmp_path / "videos/more.mp4", frames=30, size_hw=(60, 80))
    (tmp_path / "outputs/efficientvit_seg").mkdir(parents=True)
    save_own_checkpoint(
        tmp_path / "outputs/efficientvit_seg/best.ckpt",
        randomised_network(),
        preprocess=PreprocessContract((32, 48)).to_dict(),
    )
    return tmp_path


def export_from_the_tool(place):
    """Save the model's outlines as they were drawn, beside the images."""
    shutil.copytree(place / "data/next/images", place / "data/corrected/images")
    shutil.copy(place / "data/pre/instances_default.json", place / "data/corrected")


@pytest.mark.slow
def test_every_command_of_the_page_works_in_its_order(place, capsys):
    labelled = {p: sha256_of(p) for p in (place / "data/dataset_v0").rglob("*") if p.is_file()}
    ran = []
    for command, *options in commands():
        if [command, *options] == ["check", "data/corrected"]:
            export_from_the_tool(place)
        code = main([command, *options, *_SMALL.get(command, "").split()])
        assert code == 0, (command, *options, capsys.readouterr().err[-2000:])
        ran.append(command)
    assert ran == [
        *("frames", "suggest", "preannotate", "check", "merge"),
        *("train", "compare", "pseudo-label", "train"),
    ]
    assert (place / "outputs/third/best.ckpt").is_file()
    assert {path: sha256_of(path) for path in labelled} == labelled


def test_page_shows_what_each_command_of_labelling_prints():
    page = _PAGE.read_text(encoding="utf-8")
    for command in ("frames", "suggest", "preannotate", "check", "merge"):
        assert re.search(rf"```bash\nwristseg {command} .*?```\n\n```text\n", page, flags=re.S)
