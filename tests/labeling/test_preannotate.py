"""A model's masks for annotation tools: imported again they are the model's masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.predict.clips import cut, frame_picture, make_clip
from wristseg.artifacts import sha256_of
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.labeling.config import PreannotateConfig
from wristseg.labeling.preannotate import (
    COCO_FILE,
    LABEL_STUDIO_CONFIG,
    LABEL_STUDIO_FILE,
    RECORD,
    preannotate,
)
from wristseg.predict import Segmenter


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(frame_picture(4 * i)).save(folder / f"run_frame_{i:04d}.png")
    return folder


@pytest.fixture(scope="module")
def segmenter(checkpoint):
    return Segmenter.load(checkpoint, device="cpu")


def run(images, checkpoint, output, **options):
    options = {"tolerance": 0.0, "device": "cpu", **options}
    inputs = images if isinstance(images, tuple) else (images,)
    return preannotate(PreannotateConfig(tuple(map(str, inputs)), checkpoint, output, **options))


def expected_masks(images, segmenter):
    return {
        path.stem: segmenter.predict_rgb(np.asarray(Image.open(path)))
        for path in sorted(images.iterdir())
        if path.suffix == ".png"
    }


@pytest.mark.parametrize("shape", ["polygon", "rle"])
def test_wristseg_reads_the_models_masks_back_pixel_for_pixel(
    images, checkpoint, segmenter, tmp_path, shape
):
    done = run(images, checkpoint, tmp_path / "out", shape=shape)
    assert done.files == (tmp_path / "out" / COCO_FILE,)
    dataset = load_labels(DatasetPaths(tmp_path, annotations=done.files[0], images=images))
    expected = expected_masks(images, segmenter)
    assert {frame.stem for frame in dataset.frames} == expected.keys()
    assert dataset.warnings == ()
    for frame in dataset.frames:
        assert len(np.unique(expected[frame.stem])) > 2
        np.testing.assert_array_equal(dataset.mask(frame), expected[frame.stem])


@pytest.mark.parametrize("shape", ["polygon", "rle"])
def test_pycocotools_reads_them_back_pixel_for_pixel(
    images, checkpoint, segmenter, tmp_path, shape
):
    run(images, checkpoint, tmp_path / "out", shape=shape)
    coco = COCO(str(tmp_path / "out" / COCO_FILE))
    for image_id, image in coco.imgs.items():
        again = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in coco.imgToAnns[image_id]:
            plane = coco.annToMask(annotation)
            assert annotation["area"] == plane.sum()
            again[plane > 0] = annotation["category_id"]
        expected = expected_masks(images, segmenter)[image["file_name"].removesuffix(".png")]
        np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("shape", ["polygon", "rle"])
def test_supervision_reads_them_back(images, checkpoint, segmenter, tmp_path, shape):
    """Its run lengths are exact; it fills polygons with OpenCV, which adds a border pixel."""
    import supervision

    run(images, checkpoint, tmp_path / "out", shape=shape)
    dataset = supervision.DetectionDataset.from_coco(
        str(images), str(tmp_path / "out" / COCO_FILE), force_masks=True
    )
    assert dataset.classes == ["background", "table", "cube", "static_finger", "moving_finger"]
    expected = expected_masks(images, segmenter)
    for path, _, detections in dataset:
        mask = expected[Path(path).stem]
        for class_id in set(np.unique(mask)) - {0}:
            plane = detections.mask[detections.class_id == class_id - 1].any(axis=0)
            inside = mask == class_id
            if shape == "rle":
                np.testing.assert_array_equal(plane, inside)
            else:
                assert not (inside & ~plane).any()


def test_default_tolerance_has_fewer_corners_and_most_of_the_pixels(
    images, checkpoint, segmenter, tmp_path
):
    sizes = {}
    for name, tolerance in (("exact", 0.0), ("simple", 1.0)):
        run(images, checkpoint, tmp_path / name, tolerance=tolerance)
        table = json.loads((tmp_path / name / COCO_FILE).read_text())
        sizes[name] = sum(len(row["segmentation"][0]) for row in table["annotations"])
    assert sizes["simple"] < 0.7 * sizes["exact"]
    paths = DatasetPaths(tmp_path, annotations=tmp_path / "simple" / COCO_FILE, images=images)
    dataset = load_labels(paths)
    expected = expected_masks(images, segmenter)
    same = [(dataset.mask(frame) == expected[frame.stem]).mean() for frame in dataset.frames]
    assert np.mean(same) > 0.9


def test_label_studio_gets_tasks_an_interface_and_addresses(images, checkpoint, tmp_path):
    done = run(images, checkpoint, tmp_path / "out", format="label-studio", image_prefix="/x/")
    assert [path.name for path in done.files] == [LABEL_STUDIO_FILE, LABEL_STUDIO_CONFIG]
    tasks = json.loads(done.files[0].read_text())
    assert [task["data"]["image"] for task in tasks] == [
        f"/x/run_frame_{i:04d}.png" for i in range(3)
    ]
    version = tasks[0]["predictions"][0]["model_version"]
    assert version == f"wristseg {sha256_of(checkpoint)[:12]}"


def test_record_says_which_model_made_them(images, checkpoint, tmp_path):
    run(images, checkpoint, tmp_path / "out")
    said = json.loads((tmp_path / "out" / RECORD).read_text())
    assert said["checkpoint_sha256"] == sha256_of(checkpoint)
    assert said["options"]["tolerance"] == 0.0
    assert len(said["images"]) == 3


def test_damaged_image_is_a_problem_beside_good_ones_and_an_error_alone(
    images, checkpoint, tmp_path
):
    cut(images / "run_frame_0001.png", 0.5)
    done = run(images, checkpoint, tmp_path / "out")
    assert len(done.images) == 2
    assert "run_frame_0001" in done.problems[0]
    with pytest.raises(DataError, match="run_frame_0001"):
        run(images / "run_frame_0001.png", checkpoint, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_video_is_refused_with_the_command_to_take_frames(checkpoint, tmp_path):
    with pytest.raises(UsageError, match="wristseg frames"):
        run(make_clip(tmp_path / "a.mp4", frames=2), checkpoint, tmp_path / "out")


def test_images_that_share_a_name_are_refused(images, checkpoint, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(frame_picture(0)).save(other / "run_frame_0000.jpg")
    with pytest.raises(UsageError, match="share a name"):
        run((images, other), checkpoint, tmp_path / "out")


def test_folder_of_the_images_is_refused(images, checkpoint):
    with pytest.raises(UsageError, match="holds the input"):
        run(images, checkpoint, images, overwrite=True)


def test_tolerance_below_0_is_refused(images, checkpoint, tmp_path):
    with pytest.raises(UsageError, match="--tolerance -1"):
        run(images, checkpoint, tmp_path / "out", tolerance=-1.0)


class Context:
    """What CVAT hands to a function."""

    def __init__(self, *, conv_mask_to_poly):
        self.conv_mask_to_poly = conv_mask_to_poly
        self.frame_name, self.conf_threshold = "a.png", None


def test_cvat_gets_the_models_masks_under_the_names_of_its_classes(checkpoint, segmenter):
    from cvat_sdk.masks import decode_mask

    from wristseg.labeling import cvat_function

    function = cvat_function.create(checkpoint=str(checkpoint), device="cpu")
    names = {label.id: label.name for label in function.spec.labels}
    assert names == {i: name for i, name in enumerate(segmenter.classes.names) if i > 0}
    frame = frame_picture(3)
    shapes = function.detect(Context(conv_mask_to_poly=False), Image.fromarray(frame))
    again = np.zeros(frame.shape[:2], np.uint8)
    for shape in shapes:
        assert (shape.type.value, shape.frame) == ("mask", 0)
        plane = decode_mask(shape.points, image_width=64, image_height=48)
        again[plane] = shape.label_id
    np.testing.assert_array_equal(again, segmenter.predict_rgb(frame))


def test_cvat_gets_polygons_when_it_asks_for_them(checkpoint, segmenter):
    from pycocotools import mask as coco_mask

    from wristseg.labeling import cvat_function

    function = cvat_function.create(checkpoint=str(checkpoint), device="cpu", tolerance=0.0)
    frame = frame_picture(3)
    again = np.zeros(frame.shape[:2], np.uint8)
    for shape in function.detect(Context(conv_mask_to_poly=True), Image.fromarray(frame)):
        assert shape.type.value == "polygon"
        plane = coco_mask.decode(coco_mask.frPyObjects([list(shape.points)], 48, 64))[..., 0]
        again[plane > 0] = shape.label_id
    np.testing.assert_array_equal(again, segmenter.predict_rgb(frame))


def test_cvat_function_without_the_sdk_says_what_to_install(checkpoint, monkeypatch):
    import sys

    from wristseg.labeling import cvat_function

    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(UsageError, match="pip install cvat-cli"):
        cvat_function.create(checkpoint=str(checkpoint), device="cpu")
