"""Joined data sets: nothing lost, nothing doubled, nothing chosen silently, no input changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.datasets import coco_file, edit_coco, make_coco_dataset, write_marks
from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.labeling.config import MergeConfig
from wristseg.labeling.merge import RECORD, merge


@pytest.fixture
def first(tmp_path):
    return make_coco_dataset(tmp_path / "first", frames=4, excluded=(2,))


@pytest.fixture
def second(tmp_path):
    """Three other frames, from another tool."""
    names = [f"new_frame_{i:04d}" for i in range(3)]
    return make_coco_dataset(tmp_path / "second", frames=3, names=names, layout="salt", seed=1)


@pytest.fixture
def corrected(tmp_path, first):
    """An export of the first data set in which frame 0's cube is gone; no marks in it."""
    folder = tmp_path / "corrected"
    shutil.copytree(first, folder)
    (folder / "selections.json").unlink()
    (folder / "excluded.json").unlink()
    edit_coco(folder, drop_cube)
    return folder


def drop_cube(table):
    table["annotations"] = [
        row for row in table["annotations"] if (row["image_id"], row["category_id"]) != (1, 3)
    ]


def join(tmp_path, *datasets, **options):
    return merge(MergeConfig(tuple(datasets), tmp_path / "out", **options))


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def masks(folder):
    dataset = load_labels(DatasetPaths(folder))
    return {frame.stem: (dataset.mask(frame), frame.tag) for frame in dataset.frames}


def assert_same_masks(found, expected):
    assert found.keys() == expected.keys()
    for stem, (mask, tag) in expected.items():
        np.testing.assert_array_equal(found[stem][0], mask)
        assert found[stem][1] == tag


def test_masks_and_tags_are_those_of_the_parts_pixel_for_pixel(first, second, tmp_path):
    expected = masks(first) | masks(second)
    before = content(first) | content(second)
    summary = join(tmp_path, first, second)
    assert_same_masks(masks(tmp_path / "out"), expected)
    assert len(summary.frames) == 7
    assert content(first) | content(second) == before


def test_excluded_frames_stay_in_the_data_set_and_excluded(first, second, tmp_path):
    join(tmp_path, first, second)
    dataset = load_labels(DatasetPaths(tmp_path / "out"))
    assert dataset.excluded == ("demo0_frame_0002",)
    assert len(list((tmp_path / "out/images/default").iterdir())) == 7


def test_ids_are_renumbered_so_that_pycocotools_reads_it(first, second, tmp_path):
    join(tmp_path, first, second)
    coco = COCO(str(tmp_path / "out/annotations/instances_default.json"))
    assert sorted(coco.imgs) == list(range(1, 8))
    assert sorted(coco.anns) == list(range(1, 1 + 7 * 5))
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        left, top, width, height = annotation["bbox"]
        rows, columns = np.nonzero(mask)
        assert left - 1 <= columns.min() <= columns.max() <= left + width
        assert top - 1 <= rows.min() <= rows.max() <= top + height
        assert annotation["area"] == pytest.approx(mask.sum(), rel=0.15)


def test_categories_meet_by_folded_name_whatever_their_ids(first, second, tmp_path):
    def rename(table):
        for category in table["categories"]:
            category["id"] += 40
            category["name"] = category["name"].replace("_", "-").title()
        for annotation in table["annotations"]:
            annotation["category_id"] += 40

    expected = masks(first) | masks(second)
    edit_coco(second, rename)
    join(tmp_path, first, second)
    assert_same_masks(masks(tmp_path / "out"), expected)
    table = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())
    assert [row["name"] for row in table["categories"]] == list(DEFAULT_CLASSES.names[1:])


def test_run_lengths_and_crowds_survive(first, second, tmp_path):
    def to_rle(table):
        counts = [0, 48 * 10, 48 * 54]
        for annotation in table["annotations"][:3]:
            annotation |= {"segmentation": {"counts": counts, "size": [48, 64]}, "iscrowd": 1}

    edit_coco(second, to_rle)
    expected = masks(first) | masks(second)
    join(tmp_path, first, second)
    assert_same_masks(masks(tmp_path / "out"), expected)
    coco = COCO(str(tmp_path / "out/annotations/instances_default.json"))
    crowd = next(row for row in coco.anns.values() if row["iscrowd"])
    assert crowd["area"] == 480
    assert crowd["bbox"] == [0, 0, 10, 48]


def test_the_same_image_is_kept_once_under_its_first_name(first, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(first, other)
    image = other / "images/default/demo1_frame_0001.jpg"
    Image.open(image).save(image.with_name("renamed.png"))
    image.unlink()
    edit_coco(other, lambda t: t["images"][1].update(file_name="renamed.png"))
    write_marks(other / "selections.json", {"renamed.png": "Grasp"})
    expected = masks(first)
    summary = join(tmp_path, first, other)
    assert_same_masks(masks(tmp_path / "out"), expected)
    assert [frame.copies for frame in summary.frames] == [2, 2, 2, 2]


def test_labels_that_differ_are_an_error_that_lists_them_and_writes_nothing(
    first, corrected, tmp_path
):
    with pytest.raises(DataError, match="labels that differ") as caught:
        join(tmp_path, first, corrected)
    assert len(caught.value.problems) == 1
    assert "demo0_frame_0000" in caught.value.problems[0]
    assert "add --prefer last" in caught.value.problems[0]
    assert not (tmp_path / "out").exists()


def test_prefer_last_takes_corrected_labels_and_keeps_grasp_marks(first, corrected, tmp_path):
    expected = masks(first)
    expected["demo0_frame_0000"] = masks(corrected)["demo0_frame_0000"]
    summary = join(tmp_path, first, corrected, prefer="last")
    assert_same_masks(masks(tmp_path / "out"), expected)
    assert [frame.replaced for frame in summary.frames] == [True, False, False, False]
    said = json.loads((tmp_path / "out" / RECORD).read_text())
    assert said["images"]["demo0_frame_0000.jpg"]["labels_from"] == str(corrected)
    assert said["images"]["demo1_frame_0001.jpg"]["labels_from"] == str(first)


def test_an_exclusion_goes_with_the_labels_it_judged(first, corrected, tmp_path):
    """Frame 0 is corrected and frame 2 is not; both were excluded for their labels."""
    write_marks(
        first / "excluded.json",
        {"demo0_frame_0000.jpg": "Excluded", "demo0_frame_0002.jpg": "Excluded"},
    )
    join(tmp_path, first, corrected, prefer="last")
    assert load_labels(DatasetPaths(tmp_path / "out")).excluded == ("demo0_frame_0002",)


def test_an_image_nobody_labelled_takes_the_labels_of_its_copy(tmp_path):
    bare = make_coco_dataset(tmp_path / "bare", frames=3, unlabelled=(0, 1))
    full = make_coco_dataset(tmp_path / "full", frames=3)
    join(tmp_path, bare, full)
    assert_same_masks(masks(tmp_path / "out"), masks(full))


def test_one_name_with_other_pixels_is_an_error_that_lists_all(first, tmp_path):
    other = make_coco_dataset(tmp_path / "other", frames=4, seed=9)
    with pytest.raises(DataError, match="has the name of") as caught:
        join(tmp_path, first, other, prefer="last")
    assert len(caught.value.problems) == 4


def test_image_that_roboflow_compressed_again_is_found_under_its_first_name(first, tmp_path):
    names = ["demo0_frame_0000_jpg.rf.0f3e"]
    options = {"names": names, "layout": "roboflow", "seed": 9, "grasp": ()}
    other = make_coco_dataset(tmp_path / "r", frames=1, **options)
    with pytest.raises(DataError, match="Roboflow compresses images again"):
        join(tmp_path, first, other)


def test_two_versions_in_one_data_set_are_an_error_even_with_prefer_last(first, second, tmp_path):
    folder = second / "images"
    shutil.copy(folder / "new_frame_0000.jpg", folder / "new_frame_0001.jpg")
    with pytest.raises(DataError, match="labels that differ"):
        join(tmp_path, first, second, prefer="last")


def test_faults_of_all_data_sets_are_listed_in_one_run(first, second, tmp_path):
    for folder in (first, second):
        edit_coco(folder, lambda t: t["annotations"][0].update(segmentation=[[1, 2, 3]]))
    with pytest.raises(DataError, match="2 problems") as caught:
        join(tmp_path, first, second)
    assert [str(first) in caught.value.problems[0], str(second) in caught.value.problems[1]] == [
        True,
        True,
    ]


def test_f07_damaged_image_is_refused_unless_it_is_excluded(first, second, tmp_path):
    for stem in ("demo0_frame_0000", "demo0_frame_0002"):
        path = first / "images/default" / f"{stem}.jpg"
        path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="demo0_frame_0000"):
        join(tmp_path, first, second)
    write_marks(first / "excluded.json", {f"demo0_frame_000{i}.jpg": "Excluded" for i in (0, 2)})
    summary = join(tmp_path, first, second)
    assert len(summary.frames) == 5
    assert sum("left out" in warning for warning in summary.warnings) == 2


def test_ready_made_masks_are_refused_with_what_to_do(first, tmp_path):
    folder = tmp_path / "ready"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "images/a.png")
    Image.fromarray(np.ones((8, 8), np.uint8)).save(folder / "masks/a.png")
    with pytest.raises(DataError, match="ready-made masks"):
        join(tmp_path, first, folder)


def test_another_class_table_travels_and_two_tables_are_refused(first, second, tmp_path):
    table = DEFAULT_CLASSES.to_yaml().replace("cube", "mug")
    for folder in (first, second):
        (folder / "dataset.yaml").write_text(table)
        path = coco_file(folder)
        path.write_text(path.read_text().replace('"cube"', '"mug"'))
    join(tmp_path, first, second)
    assert load_labels(DatasetPaths(tmp_path / "out")).classes.names[3] == "mug"
    with pytest.raises(DataError, match="its classes or their draw orders"):
        merge(
            MergeConfig((first, make_coco_dataset(tmp_path / "third", seed=5)), tmp_path / "other")
        )


@pytest.mark.parametrize("place", [".", "sub", ".."])
def test_output_in_or_around_an_input_is_refused(first, second, tmp_path, place):
    before = content(tmp_path)
    with pytest.raises(UsageError, match="--output"):
        merge(MergeConfig((first, second), first / place, overwrite=True))
    assert content(tmp_path) == before


def test_one_data_set_is_not_enough(first):
    with pytest.raises(UsageError, match="at least two"):
        MergeConfig((first, first / ".." / first.name), Path("out"))


def test_an_earlier_merge_is_replaced_when_asked_for(first, second, tmp_path):
    join(tmp_path, first, second)
    with pytest.raises(UsageError, match="not empty"):
        join(tmp_path, first, second)
    join(tmp_path, first, second, overwrite=True)
