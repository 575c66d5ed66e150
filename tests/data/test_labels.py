"""One labelled data set for all stages: frames that count, tags, sizes, ready-made masks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.datasets import edit_coco, make_coco_dataset, write_marks
from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.images import read_image_rgb, write_mask


@pytest.mark.parametrize("layout", ["cvat", "roboflow", "salt"])
def test_frames_are_those_annotated_and_not_excluded(layout: str, tmp_path: Path) -> None:
    make_coco_dataset(tmp_path, layout=layout, grasp=(1,), excluded=(2,), unlabelled=(3,))
    labels = load_labels(DatasetPaths(tmp_path))
    assert [frame.stem[-1] for frame in labels.frames] == ["0", "4", "1", "5"]
    assert {frame.stem[-1]: frame.tag for frame in labels.frames}["1"] == "grasp"
    assert labels.excluded == ("demo0_frame_0002",)
    assert labels.without_annotation == ("demo1_frame_0003",)
    assert {frame.recording for frame in labels.frames} == {"demo0", "demo1"}
    for frame in labels.frames:
        assert labels.mask(frame).shape == labels.image(frame).shape[:2] == frame.size_hw


def test_marks_with_another_suffix_match_and_unknown_ones_are_reported(coco_dataset: Path) -> None:
    marks = {"demo0_frame_0000.png": "Grasp", "other_frame_0001.jpg": "Grasp"}
    write_marks(coco_dataset / "selections.json", marks)
    labels = load_labels(DatasetPaths(coco_dataset))
    assert [frame.stem for frame in labels.frames if frame.tag == "grasp"] == ["demo0_frame_0000"]
    assert labels.warnings == (
        "selections marks 'other_frame_0001', which is no image of the data set",
    )


@pytest.mark.parametrize(("height", "width"), [(64, 48), (47, 64), (48, 65), (480, 640)], ids=str)
def test_f05_labels_of_another_size_than_the_image_are_refused(
    height: int, width: int, coco_dataset: Path
) -> None:
    edit_coco(coco_dataset, lambda t: t["images"][0].update(height=height, width=width))
    # Whatever an outline's limits are, the size is what is wrong.
    edit_coco(coco_dataset, lambda t: t["annotations"][0].update(segmentation=[[1, 1, 9, 1, 9, 9]]))
    expected = rf"demo0_frame_0000\.jpg: image is 48x64, its labels are for {height}x{width}"
    with pytest.raises(DataError, match=expected):
        load_labels(DatasetPaths(coco_dataset))


def test_f05_image_that_shrinks_after_reading_is_noticed(coco_dataset: Path) -> None:
    labels = load_labels(DatasetPaths(coco_dataset))
    Image.new("RGB", (32, 24)).save(labels.frames[0].image_path)
    with pytest.raises(DataError, match="image is 24x32, its labels are for 48x64"):
        labels.image(labels.frames[0])


def test_bad_outlines_of_an_excluded_frame_are_no_obstacle(coco_dataset: Path) -> None:
    edit_coco(coco_dataset, lambda t: t["annotations"][0].update(segmentation=[]))
    with pytest.raises(DataError, match="without an outline"):
        load_labels(DatasetPaths(coco_dataset))
    write_marks(coco_dataset / "excluded.json", {"demo0_frame_0000.jpg": "Excluded"})
    labels = load_labels(DatasetPaths(coco_dataset))
    assert len(labels.frames) == 5
    assert "the frame is excluded" in labels.warnings[0]


def test_faults_of_labels_and_marks_are_listed_together(coco_dataset: Path) -> None:
    edit_coco(coco_dataset, lambda t: t["annotations"][0].update(iscrowd=7))
    edit_coco(coco_dataset, lambda t: t["images"][3].update(width=99))
    (coco_dataset / "selections.json").write_text("{}")
    with pytest.raises(DataError) as caught:
        load_labels(DatasetPaths(coco_dataset))
    assert len(caught.value.problems) == 3
    for expected in ("iscrowd is 7", "image is 48x64", "selections.json: expected"):
        assert expected in str(caught.value)


def test_data_set_without_any_usable_frame_is_refused(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path, frames=3, excluded=(0, 1), unlabelled=(2,))
    with pytest.raises(DataError, match="no frame is left to use: 2 excluded, 1 without"):
        load_labels(DatasetPaths(tmp_path))


def test_hash_follows_content_and_not_place(tmp_path: Path) -> None:
    first = make_coco_dataset(tmp_path / "first")
    second = tmp_path / "second"
    shutil.copytree(first, second)
    hashes = [load_labels(DatasetPaths(folder)).sha256 for folder in (first, second)]
    assert hashes[0] == hashes[1]
    write_marks(second / "selections.json", {})
    assert load_labels(DatasetPaths(second)).sha256 != hashes[0]


def ready_made(folder: Path) -> Path:
    """Images with the masks of a COCO data set, without its COCO file."""
    make_coco_dataset(folder, frames=3)
    labels = load_labels(DatasetPaths(folder))
    for frame in labels.frames:
        write_mask(folder / "masks" / f"{frame.stem}.png", labels.mask(frame), DEFAULT_CLASSES)
    shutil.rmtree(folder / "annotations")
    return folder


def test_ready_made_masks_are_read_as_they_are(tmp_path: Path) -> None:
    coco = load_labels(DatasetPaths(make_coco_dataset(tmp_path / "coco", frames=3)))
    masks = load_labels(DatasetPaths(ready_made(tmp_path / "masks")))
    assert masks.layout.kind == "masks"
    assert [(f.stem, f.tag) for f in masks.frames] == [(f.stem, f.tag) for f in coco.frames]
    for drawn, ready in zip(coco.frames, masks.frames, strict=True):
        np.testing.assert_array_equal(coco.mask(drawn), masks.mask(ready))


def test_named_mask_folder_wins_over_the_coco_file(coco_dataset: Path, tmp_path: Path) -> None:
    write_mask(tmp_path / "m/demo0_frame_0000.png", np.full((48, 64), 2, np.uint8), DEFAULT_CLASSES)
    labels = load_labels(DatasetPaths(coco_dataset), masks_dir=tmp_path / "m")
    assert [frame.stem for frame in labels.frames] == ["demo0_frame_0000"]
    assert (labels.mask(labels.frames[0]) == 2).all()
    assert len(labels.without_annotation) == 5
    with pytest.raises(UsageError, match=r"--masks-dir .*nowhere: no such folder"):
        load_labels(DatasetPaths(coco_dataset), masks_dir=tmp_path / "nowhere")


def test_names_that_are_no_text_are_refused_beside_ready_made_masks(tmp_path: Path) -> None:
    folder = ready_made(tmp_path)
    shutil.copy(next(folder.rglob("*.jpg")), folder / "images/default/bad\udcff.jpg")
    shutil.copy(next(folder.rglob("*.png")), folder / "masks/bad\udcff.png")
    with pytest.raises(DataError) as raised:
        load_labels(DatasetPaths(folder))
    mask, image = raised.value.problems
    assert "masks/bad\\udcff.png': the name is not UTF-8; rename it" in mask
    assert "default/bad\\udcff.jpg': the name is not UTF-8; rename it" in image


def spoil(kind: str, mask: Path) -> None:
    changes: dict[str, Any] = {
        "unknown class": lambda: Image.fromarray(np.full((48, 64), 77, np.uint8)).save(mask),
        "wrong size": lambda: Image.fromarray(np.ones((48, 63), np.uint8)).save(mask),
        "3 channels": lambda: Image.new("RGB", (64, 48)).save(mask),
        "JPEG": lambda: Image.new("L", (64, 48)).save(mask.with_suffix(".jpg")),
        "JPEG named PNG": lambda: Image.new("L", (64, 48)).save(mask, "JPEG"),
        "cut off": lambda: mask.write_bytes(mask.read_bytes()[:-30]),
    }
    changes[kind]()


F09_FAULTS = {
    "unknown class": "ids [77]",
    "wrong size": "image is 48x64, its labels are for 48x63",
    "3 channels": "mask is RGB",
    "JPEG": "a mask must be a PNG",
    "JPEG named PNG": "not a readable PNG",
    "cut off": "damaged",
}


@pytest.mark.parametrize("kind", F09_FAULTS)
def test_f09_bad_ready_made_mask_is_refused(kind: str, tmp_path: Path) -> None:
    folder = ready_made(tmp_path)
    spoil(kind, folder / "masks/demo0_frame_0000.png")
    with pytest.raises(DataError) as caught:
        load_labels(DatasetPaths(folder))
    assert F09_FAULTS[kind] in str(caught.value)
    assert "demo0_frame_0000" in str(caught.value)


def test_masks_without_image_and_equal_stems_are_reported(tmp_path: Path) -> None:
    folder = ready_made(tmp_path)
    images = folder / "images/default"
    (images / "demo1_frame_0001.jpg").unlink()
    assert "mask demo1_frame_0001.png has no image" in str(
        load_labels(DatasetPaths(folder)).warnings
    )
    Image.fromarray(read_image_rgb(images / "demo0_frame_0000.jpg")).save(
        images / "demo0_frame_0000.png"
    )
    with pytest.raises(DataError, match="2 images have the stem 'demo0_frame_0000'"):
        load_labels(DatasetPaths(folder))


def test_label_studio_frames_are_marked_under_their_original_names(tmp_path: Path) -> None:
    names = [f"{i:08x}-demo_frame_{i:04d}" for i in range(4)]
    make_coco_dataset(tmp_path, names=names, grasp=())
    write_marks(tmp_path / "selections.json", {"demo_frame_0001.jpg": "Grasp"})
    write_marks(tmp_path / "excluded.json", {"demo_frame_0002.jpg": "Excluded"})
    labels = load_labels(DatasetPaths(tmp_path))
    assert [frame.stem for frame in labels.frames if frame.tag == "grasp"] == [names[1]]
    assert labels.excluded == (names[2],)
    assert labels.warnings == ()


def test_images_without_a_record_are_named(coco_dataset: Path) -> None:
    images = coco_dataset / "images" / "default"
    shutil.copy(next(images.iterdir()), images / "zzz.jpg")
    assert load_labels(DatasetPaths(coco_dataset)).warnings == (
        "images that the COCO file does not list, and that are not used: 1 (zzz.jpg)",
    )


def test_accents_may_be_composed_or_not(coco_dataset: Path) -> None:
    images = coco_dataset / "images" / "default"
    (images / "demo0_frame_0000.jpg").rename(images / "cafe\u0301_0000.jpg")  # as macOS writes

    def rename(table: Any) -> None:
        table["images"][0]["file_name"] = "caf\u00e9_0000.jpg"

    edit_coco(coco_dataset, rename)
    write_marks(coco_dataset / "selections.json", {"cafe\u0301_0000.png": "Grasp"})
    labels = load_labels(DatasetPaths(coco_dataset))
    assert [frame.stem for frame in labels.frames if frame.tag == "grasp"] == ["caf\u00e9_0000"]


def test_faults_of_marks_and_labels_each_name_their_file(coco_dataset: Path) -> None:
    (coco_dataset / "selections.json").write_text("[]")
    with pytest.raises(DataError) as refused:
        load_labels(DatasetPaths(coco_dataset))
    assert str(refused.value) == (
        f'{coco_dataset}: selections.json: expected {{"marks": {{"<file name>": "<label>"}}}}'
    )
