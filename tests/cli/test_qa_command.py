"""``wristseg qa``: exit codes, models that are kept, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.datasets import edit_coco, make_coco_dataset, write_marks
from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.cli.main import main
from wristseg.errors import UsageError
from wristseg.labeling.config import QaConfig

SMALL = ("--img-height", 32, "--img-width", 48, "--batch-size", 4, "--epochs", 1)
SMALL += ("--pretrained", "none")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, randomised_network(), size_hw=(32, 48))


@pytest.fixture
def dataset(tmp_path):
    return make_coco_dataset(tmp_path / "dataset", frames=8, excluded=(2,))


def run(capsys, *arguments):
    code = main([str(argument) for argument in ("qa", *arguments, "--device", "cpu")])
    return code, *capsys.readouterr()


def files_below(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_named_model_judges_all_frames_and_the_data_set_stays_as_it_is(
    capsys, dataset, checkpoint, tmp_path
):
    before = files_below(dataset)
    out = tmp_path / "out"
    code, stdout, stderr = run(capsys, dataset, "--checkpoint", checkpoint, "--output", out)
    assert (code, stderr) == (0, "")
    assert f"page: {out / 'qa.html'}" in stdout
    assert f"next: wristseg review {dataset} --checkpoint {checkpoint}" in stdout
    assert stdout.count("\n   ") == 8
    assert "(marked as excluded)" in stdout
    assert files_below(dataset) == before
    record = json.loads((out / "qa.json").read_text())
    assert len(record["frames"]) == 8
    assert "All frames are judged by" in record["said"]


@pytest.mark.slow
def test_fold_models_are_trained_once_and_again_when_labels_change(capsys, dataset, tmp_path):
    out = tmp_path / "out"
    code, stdout, _ = run(capsys, dataset, *SMALL, "--output", out)
    assert code == 0
    assert f"next: wristseg review {dataset}\n" in stdout
    record = json.loads((out / "qa.json").read_text())
    judges = [set(model["judges"]) for model in record["models"]]
    assert [{stem.split("_")[0] for stem in stems} for stems in judges] == [{"demo0"}, {"demo1"}]
    for number, stems in enumerate(judges, start=1):
        split = json.loads((out / f"folds/fold_{number}/split.json").read_text())
        assert set(split["val"]) == stems
        assert len(split["train"]) == 4  # the excluded frame is trained on like any other
    trained = {model["sha256"] for model in record["models"]}

    write_marks(dataset / "excluded.json", {"demo1_frame_0003.jpg": "Excluded"})
    code, _, stderr = run(capsys, dataset, *SMALL, "--output", out)
    assert code == 0
    assert stderr.count("trained before on these labels, used again") == 2
    again = json.loads((out / "qa.json").read_text())
    ranked = [[(f["stem"], f["suspicion"]) for f in r["frames"]] for r in (record, again)]
    assert ranked[0] == ranked[1]

    edit_coco(dataset, lambda table: table["annotations"].pop())
    code, _, stderr = run(capsys, dataset, *SMALL, "--output", out)
    assert code == 0
    assert "used again" not in stderr
    models = json.loads((out / "qa.json").read_text())["models"]
    assert trained.isdisjoint({model["sha256"] for model in models})


def test_one_recording_needs_folds_of_frames_or_a_model(capsys, tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=4, recordings=1)
    code, _, stderr = run(capsys, dataset, *SMALL, "--output", tmp_path / "out")
    assert code == 2
    assert "add --split-by frame, or give a model with --checkpoint" in stderr
    assert not (tmp_path / "out" / "folds").exists()


def test_folds_of_frames_keep_equal_images_together(capsys, tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=6, recordings=1)
    images = sorted((dataset / "images").rglob("*.jpg"))
    images[4].write_bytes(images[0].read_bytes())
    out = tmp_path / "out"
    options = (*SMALL, "--split-by", "frame", "--folds", 2, "--output", out)
    assert run(capsys, dataset, *options)[0] == 0
    models = json.loads((out / "qa.json").read_text())["models"]
    twins = {"demo0_frame_0000", "demo0_frame_0004"}
    assert [len(twins & set(model["judges"])) for model in models] in ([2, 0], [0, 2])
    assert "did not see it." in (out / "qa.html").read_text()


def test_more_folds_than_recordings_end_with_2(capsys, dataset, tmp_path):
    options = (*SMALL, "--folds", 3, "--output", tmp_path / "out")
    code, _, stderr = run(capsys, dataset, *options)
    assert code == 2
    assert "--folds 3: the data set has 2 recordings" in stderr


def test_output_in_the_data_set_is_refused(capsys, dataset, checkpoint):
    out = dataset / "qa"
    code, _, stderr = run(capsys, dataset, "--checkpoint", checkpoint, "--output", out)
    assert code == 2
    assert "lies in the data set; choose another folder" in stderr
    assert not out.exists()


def test_exported_model_is_refused(capsys, dataset, tmp_path):
    options = ("--checkpoint", tmp_path / "best.onnx", "--output", tmp_path / "out")
    code, _, stderr = run(capsys, dataset, *options)
    assert code == 2
    assert "gives no probabilities" in stderr


def test_missing_data_set_ends_with_2(capsys, tmp_path):
    assert run(capsys, tmp_path / "none", "--output", tmp_path / "out")[0] == 2


@pytest.mark.parametrize(
    "options", [{"folds": 1}, {"checkpoint": "x.ckpt", "folds": 2}, {"epochs": 0}, {"top": 0}]
)
def test_options_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(UsageError, match="--"):
        QaConfig(tmp_path, **options)
