"""``wristseg frames --lerobot`` and ``wristseg lerobot-masks``: names, exit codes, streams."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.lerobot.datasets import CAMERA, make_dataset
from tests.predict.clips import frame_picture
from wristseg.cli.main import main
from wristseg.data.names import recording_of


@pytest.fixture(params=["v2.1", "v3.0"])
def dataset(request, tmp_path):
    return make_dataset(tmp_path / "pick", request.param)


def run(capsys, *arguments):
    code = main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def frames(capsys, dataset, tmp_path, *options):
    out = tmp_path / "out"
    code, stdout, stderr = run(
        capsys, "frames", dataset, "--lerobot", *options, "--image-format", "png", "--output", out
    )
    assert (code, stderr) == (0, "")
    assert f"frames in {out / 'images'}" in stdout.splitlines()[0]
    return sorted(path.name for path in (out / "images").iterdir())


def test_frames_are_named_by_episode_and_number_there(capsys, dataset, tmp_path):
    names = frames(capsys, dataset, tmp_path, "--every", 3)
    numbers = {0: (0, 3), 1: (0, 3), 2: (0,)}
    expected = [f"pick_ep{e:04d}_frame_{i:04d}.png" for e in numbers for i in numbers[e]]
    assert names == expected
    assert {recording_of(name) for name in names} == {f"pick_ep000{e}" for e in range(3)}


def test_a_frame_is_the_picture_that_the_episode_has_there(capsys, dataset, tmp_path):
    frames(capsys, dataset, tmp_path, "--every", 1, "--episodes", "1:3")
    found = np.asarray(Image.open(tmp_path / "out/images/pick_ep0001_frame_0002.png"), int)
    # Episode 0 has four frames, so this one was drawn as number 6; the codec has its losses.
    nearest = min(range(13), key=lambda i: np.abs(found - frame_picture(i)).mean())
    assert nearest == 6


def test_only_the_episodes_that_were_asked_for_are_taken(capsys, dataset, tmp_path):
    names = frames(capsys, dataset, tmp_path, "--every", 10, "--episodes", "0,2:9")
    assert names == ["pick_ep0000_frame_0000.png", "pick_ep0002_frame_0000.png"]
    record = json.loads((tmp_path / "out/frames.json").read_text())
    assert [frame["episode"] for frame in record["frames"]] == [0, 2]
    assert len(record["videos"]) == 2


def test_those_that_differ_most_are_picked_over_all_episodes(capsys, dataset, tmp_path):
    assert len(frames(capsys, dataset, tmp_path, "--pick", 2)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lerobot", "--episodes", "7"), "there is no such episode"),
        (("--lerobot", "--episodes", "a"), "expected such as 0:10"),
        (("--lerobot", "--camera", "side"), "--camera side; cameras: "),
        (("--camera", "wrist"), "add --lerobot"),
    ],
)
def test_options_that_cannot_be_end_with_2(capsys, dataset, tmp_path, options, message):
    code, _, stderr = run(capsys, "frames", dataset, *options, "--output", tmp_path / "out")
    assert code == 2
    assert message in stderr
    assert not (tmp_path / "out").exists()


def test_masks_are_summed_up_on_stdout(capsys, dataset, checkpoint, tmp_path):
    out = tmp_path / "out"
    options = ("--checkpoint", checkpoint, "--output", out)
    code, stdout, stderr = run(capsys, "lerobot-masks", dataset, *options)
    assert (code, stderr) == (0, "")
    lines = stdout.splitlines()
    assert lines[0] == f"13 masks of {CAMERA} in {out}"
    assert "grey level = 40 x class id" in lines[1]
    assert "read back and equal: 13 of 13" in lines[2]


def test_f10_damaged_data_set_ends_with_3_and_no_folder(capsys, dataset, checkpoint, tmp_path):
    video = next(path for path in dataset.rglob("*.mp4") if CAMERA in path.parts)
    video.write_bytes(video.read_bytes()[:100])
    options = ("--checkpoint", checkpoint, "--output", tmp_path / "out")
    code, stdout, stderr = run(capsys, "lerobot-masks", dataset, *options)
    assert (code, stdout) == (3, "")
    assert video.name in stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_weights_that_ship_write_masks_of_several_classes(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("WRISTSEG_RUNTIME", "torch")
    dataset = make_dataset(tmp_path / "pick", "v3.0", lengths=(3,))
    options = ("--checkpoint", "sim-84", "--device", "cpu", "--output", tmp_path / "out")
    code, stdout, _ = run(capsys, "lerobot-masks", dataset, *options)
    assert code == 0
    record = json.loads((tmp_path / "out/wristseg_masks.json").read_text())
    assert sum(count > 0 for count in record["pixels"].values()) >= 2
    assert "look at:" in stdout
