"""F04: file names and label files that lead elsewhere, hang or clash are refused."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from tests.data.coco_tables import HEIGHT, WIDTH, arguments, base_table, refusal
from wristseg.classes import DEFAULT_CLASSES
from wristseg.cli.masks import main
from wristseg.data.coco import examine_coco

F04_NAMES = {
    "parent": ("../canary.png", "leads out"),
    "parent in the middle": ("x/../../canary.png", "leads out"),
    "parent by backslash": ("..\\canary.png", "leads out"),
    "absolute": ("/canary.png", "is absolute"),
    "drive": ("C:\\canary.png", "is absolute"),
    "UNC": ("\\\\server\\share\\canary.png", "is absolute"),
    "NUL": ("a.png\0", "no file name can have"),
    "lone surrogate": ("\ud800.png", "no file name can have"),
    "symlink out": ("link.png", "a link that leads out"),
    "symlinked folder out": ("linked/canary.png", "a link that leads out"),
    "directory": ("folder.png", "not a regular file"),
    "pipe": ("pipe.png", "not a regular file"),
    "socket": ("socket.png", "not a regular file"),
    "device": ("/dev/zero", "is absolute"),
    "symlinked device": ("device.png", "a link that leads out"),
    "dangling symlink": ("dangling.png", "cannot be opened"),
    "case differs": ("A.PNG", "there is 'a.png'"),
    "too long": ("x" * 5000 + ".png", "no such image"),
}


@pytest.fixture
def trapped_images_dir(tmp_path: Path) -> Path:
    """An image folder with links, a pipe and a socket, and a readable canary beside it."""
    folder = tmp_path / "images"
    folder.mkdir()
    for path in (folder / "a.png", folder / "b.png", tmp_path / "canary.png"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    (folder / "link.png").symlink_to(tmp_path / "canary.png")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    (folder / "dangling.png").symlink_to(folder / "nothing.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket may have 108 characters
        server.bind("socket.png")
        os.chdir(here)
    return folder


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", F04_NAMES)
def test_f04_file_name_that_leads_elsewhere_is_refused(
    case: str, trapped_images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, expected = F04_NAMES[case]
    table = base_table()
    table["images"][0]["file_name"] = name
    said = refusal(json.dumps(table), trapped_images_dir, tmp_path, capsys)
    assert expected in said
    assert "image 1" in said


@pytest.mark.timeout(20)
@pytest.mark.parametrize("option", ["--annotations", "--selections", "--excluded"])
def test_f04_pipe_in_place_of_a_label_file_does_not_hang(
    option: str, images_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(base_table()))
    os.mkfifo(tmp_path / "pipe.json")
    command = [*arguments(annotations, images_dir, tmp_path / "masks"), option]
    assert main([*command, str(tmp_path / "pipe.json")]) == 3
    assert "not a regular file" in capsys.readouterr().err


def test_names_that_differ_in_case_only_are_refused(images_dir: Path, tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(images_dir / "A.png")
    table = base_table()
    table["images"][1]["file_name"] = "A.png"
    annotations = tmp_path / "coco.json"
    annotations.write_text(json.dumps(table))
    _, problems = examine_coco(annotations, images_dir, DEFAULT_CLASSES)
    assert [problem.topic for problem in problems] == ["names"]
