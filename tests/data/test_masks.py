"""Stage ``masks``: what it writes, what it counts, and where it refuses to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets import edit_coco, make_coco_dataset
from wristseg.classes import DEFAULT_CLASSES
from wristseg.configs import MasksConfig
from wristseg.data.labels import load_labels
from wristseg.data.masks import generate_masks
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.images import read_mask

CLASSES = len(DEFAULT_CLASSES)


def test_masks_are_the_labels_that_training_sees(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path, excluded=(2,), unlabelled=(3,))
    summary = generate_masks(MasksConfig(tmp_path))
    labels = load_labels(DatasetPaths(tmp_path))
    written = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert written == [f"{frame.stem}.png" for frame in labels.frames]
    for frame in labels.frames:
        mask = read_mask(tmp_path / "masks" / f"{frame.stem}.png", num_classes=CLASSES)
        np.testing.assert_array_equal(mask, labels.mask(frame))
    assert summary.frames_per_order == {"default": 3, "grasp": 1}
    assert (summary.excluded, summary.without_annotation) == (
        ("demo0_frame_0002",),
        ("demo1_frame_0003",),
    )
    assert summary.stale == ()


def test_summary_counts_pixels_and_contested_pixels(tmp_path: Path) -> None:
    make_coco_dataset(tmp_path, frames=2, grasp=())
    default = generate_masks(MasksConfig(tmp_path, output_dir=tmp_path / "default"))
    make_coco_dataset(tmp_path, frames=2, grasp=(0, 1))
    grasp = generate_masks(MasksConfig(tmp_path, output_dir=tmp_path / "grasp"))
    assert sum(default.pixels_per_class.values()) == 2 * 48 * 64
    moved = grasp.pixels_per_class["cube"] - default.pixels_per_class["cube"]
    assert moved == default.contested_pixels == grasp.contested_pixels > 0
    for name in ("unlabeled", "background", "table"):
        assert grasp.pixels_per_class[name] == default.pixels_per_class[name]


def test_overlays_show_the_frame_and_the_mask(coco_dataset: Path, tmp_path: Path) -> None:
    generate_masks(MasksConfig(coco_dataset, viz_dir=tmp_path / "viz"))
    overlays = sorted((tmp_path / "viz").iterdir())
    assert len(overlays) == 6
    with Image.open(overlays[0]) as overlay:
        assert overlay.size == (64, 48)


def test_masks_that_the_run_did_not_write_are_mentioned(coco_dataset: Path) -> None:
    generate_masks(MasksConfig(coco_dataset))
    (coco_dataset / "excluded.json").write_text('{"marks": {"demo0_frame_0000.jpg": "Excluded"}}')
    summary = generate_masks(MasksConfig(coco_dataset))
    assert summary.stale == ("demo0_frame_0000.png",)
    assert (coco_dataset / "masks/demo0_frame_0000.png").exists()


@pytest.mark.parametrize("option", ["output_dir", "viz_dir"])
def test_images_are_never_written_over(option: str, coco_dataset: Path) -> None:
    images = coco_dataset / "images/default"
    before = {path.name: path.read_bytes() for path in images.iterdir()}
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} .* holds the images"):
        generate_masks(MasksConfig(coco_dataset, **{option: images}))
    assert {path.name: path.read_bytes() for path in images.iterdir()} == before


def test_masks_and_overlays_need_folders_of_their_own(coco_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--viz-dir"):
        generate_masks(MasksConfig(coco_dataset, output_dir=tmp_path / "o", viz_dir=tmp_path / "o"))


def test_nothing_is_written_if_one_frame_is_wrong(coco_dataset: Path) -> None:
    edit_coco(coco_dataset, lambda t: t["annotations"][-1].update(iscrowd=5))
    with pytest.raises(DataError, match="iscrowd is 5"):
        generate_masks(MasksConfig(coco_dataset))
    assert not (coco_dataset / "masks").exists()


def test_overlay_of_a_damaged_image_stops_before_the_first_mask(coco_dataset: Path) -> None:
    image = coco_dataset / "images/default/demo1_frame_0005.jpg"
    image.write_bytes(image.read_bytes()[:-200])
    generate_masks(MasksConfig(coco_dataset, output_dir=coco_dataset / "headers_are_enough"))
    with pytest.raises(DataError, match=r"demo1_frame_0005\.jpg: .*damaged"):
        generate_masks(MasksConfig(coco_dataset, viz_dir=coco_dataset / "viz"))
    assert not (coco_dataset / "masks").exists()


def test_ready_made_masks_are_not_drawn_again(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 8), 1).save(tmp_path / "masks/a.png")
    with pytest.raises(DataError, match="ready-made masks and no COCO file"):
        generate_masks(MasksConfig(tmp_path))


def test_second_run_writes_the_same_bytes(coco_dataset: Path, tmp_path: Path) -> None:
    for run in ("first", "second"):
        generate_masks(MasksConfig(coco_dataset, output_dir=tmp_path / run))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_f32_file_in_place_of_the_output_folder_is_a_clear_error(
    coco_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("here first")
    with pytest.raises(OSError, match="taken"):
        generate_masks(MasksConfig(coco_dataset, output_dir=tmp_path / "taken"))
    assert (tmp_path / "taken").read_text() == "here first"


def test_f32_spaces_and_unicode_in_paths_work(tmp_path: Path) -> None:
    names = ["mein Würfel 0001", "立方体_frame_0002"]
    folder = make_coco_dataset(tmp_path / "données du bras", names=names, grasp=(0,))
    generate_masks(MasksConfig(folder, output_dir=tmp_path / "маски 1"))
    assert sorted(path.stem for path in (tmp_path / "маски 1").iterdir()) == sorted(names)
