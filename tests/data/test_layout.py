"""Exports of the annotation tools are found by themselves; anything else is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets import make_coco_dataset
from wristseg.data.layout import find_layout, list_images
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("kind", "files", "images"),
    [
        ("cvat", ["annotations/instances_default.json", "images/default/a.jpg"], "images/default"),
        ("cvat", ["annotations/instances_default.json", "images/a.jpg"], "images"),
        ("cvat", ["instances_default.json", "images/a.jpg"], "images"),
        ("cvat", ["annotations/instances_Train.json", "images/Train/a.jpg"], "images/Train"),
        ("roboflow", ["_annotations.coco.json", "a.jpg"], "."),
        ("salt", ["annotations.json", "images/a.jpg"], "images"),
        ("label-studio", ["result.json", "images/0a1b2c3d-a.jpg"], "images"),
        ("masks", ["images/a.jpg", "masks/a.png"], "images"),
        ("masks", ["a.jpg", "masks/a.png"], "."),
    ],
)
def test_layouts_are_found(kind: str, files: list[str], images: str, tmp_path: Path) -> None:
    for file in files:
        touch(tmp_path / file)
    layout = find_layout(DatasetPaths(tmp_path))
    assert layout.kind == kind
    assert layout.images_dir == tmp_path / images
    assert layout.annotations == (None if kind == "masks" else tmp_path / files[0])


def test_masks_that_were_drawn_do_not_hide_the_coco_file(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path)
    touch(tmp_path / "masks/demo0_frame_0000.png")
    assert find_layout(DatasetPaths(tmp_path)).kind == "cvat"


def test_marks_beside_the_data_set_are_used_and_named_ones_win(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path)
    layout = find_layout(DatasetPaths(tmp_path))
    assert (layout.selections, layout.excluded) == (
        tmp_path / "selections.json",
        tmp_path / "excluded.json",
    )
    other = touch(tmp_path / "other.json")
    assert find_layout(DatasetPaths(tmp_path, selections=other)).selections == other


def test_named_files_are_taken_as_they_are(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path)
    annotations, images = touch(tmp_path / "x/my.json"), tmp_path / "images/default"
    layout = find_layout(DatasetPaths(tmp_path, annotations=annotations, images=images))
    assert (layout.kind, layout.annotations, layout.images_dir) == ("explicit", annotations, images)


def test_folder_above_a_roboflow_export_is_explained(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        touch(tmp_path / part / "_annotations.coco.json")
    with pytest.raises(DataError, match=r"train, valid; give the folder.*train"):
        find_layout(DatasetPaths(tmp_path))


def test_two_exports_in_one_folder_are_not_chosen_between(tmp_path: Path) -> None:
    touch(tmp_path / "annotations.json")
    touch(tmp_path / "annotations/instances_default.json")
    with pytest.raises(DataError, match=r"several COCO files.*--annotations FILE --images DIR"):
        find_layout(DatasetPaths(tmp_path, by_option=True))
    with pytest.raises(DataError, match=r"several COCO files.*; leave one of them there$"):
        find_layout(DatasetPaths(tmp_path))


def test_unknown_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path / "coco.json")
    with pytest.raises(
        DataError, match=r"result\.json \(Label Studio\).*coco\.json.*--annotations"
    ):
        find_layout(DatasetPaths(tmp_path, by_option=True))
    with pytest.raises(DataError, match=r"coco\.json\); give the export's folder$"):
        find_layout(DatasetPaths(tmp_path))


@pytest.mark.parametrize("option", ["dataset_path", "selections", "excluded", "annotations"])
def test_f32_missing_input_is_named(option: str, tmp_path: Path) -> None:
    make_coco_dataset(tmp_path / "d")
    paths = {"dataset_path": tmp_path / "d", option: tmp_path / "nowhere"}
    if option == "annotations":
        paths["images"] = tmp_path / "d"
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} .*nowhere: no such"):
        find_layout(DatasetPaths(**paths, by_option=True))


def test_images_are_listed_in_order_without_other_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "sub/c.jpg"):
        touch(tmp_path / name)
    assert [path.name for path in list_images(tmp_path)] == ["a.png", "b.JPG"]
    assert [path.name for path in list_images(tmp_path / "sub")] == ["c.jpg"]
