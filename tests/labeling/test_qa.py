"""The stage of ``wristseg qa``: all frames are judged, whatever is marked; results are whole."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.datasets import edit_coco, make_coco_dataset, write_marks
from tests.labeling.qa_scenes import STATIC, TABLE, called, probabilities, true_masks
from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.labeling.qa import look_over, write_record
from wristseg.labeling.qa_labels import LEFT_OUT, load_all_labels
from wristseg.labeling.qa_page import write_page
from wristseg.preprocess import PreprocessContract

HW = (96, 128)
BAD = "demo0_frame_0004"


@pytest.fixture
def dataset(tmp_path):
    return make_coco_dataset(
        tmp_path / "dataset", frames=14, size_hw=HW, grasp=(1, 3), recordings=1
    )


@pytest.fixture
def clean(dataset):
    """A model that knows every frame's label as it was before anything was spoilt."""
    return perfect_model(dataset)


def perfect_model(dataset, classes=DEFAULT_CLASSES):
    contract = PreprocessContract((48, 64))
    labels = load_labels(DatasetPaths(dataset))
    known = {frame.stem: contract.resize_mask(labels.mask(frame)) for frame in labels.frames}

    def of(frame):
        answer = probabilities(known[frame.stem], blur=0.8)
        return SimpleNamespace(
            classes=classes, contract=contract, probabilities=lambda frame_rgb: answer
        )

    return of


def rename(dataset, stem, names):
    """Give annotations of one frame other categories."""

    def edit(table):
        ids = {category["name"]: category["id"] for category in table["categories"]}
        image = next(i["id"] for i in table["images"] if i["file_name"].startswith(stem))
        changed = {ids[one]: ids[other] for one, other in names.items()}
        for annotation in table["annotations"]:
            if annotation["image_id"] == image:
                category = annotation["category_id"]
                annotation["category_id"] = changed.get(category, category)

    edit_coco(dataset, edit)


def swap_fingers(dataset, stem=BAD):
    rename(dataset, stem, {"static_finger": "moving_finger", "moving_finger": "static_finger"})


def judged(dataset, model, folder):
    labels = load_all_labels(DatasetPaths(dataset), folder)
    return labels, look_over(labels, model)


def page_of(path, labels, ranking, model, **options):
    options = {"top": 3, "said": "Said.", "origin": [], "next_steps": [("Go on:", "x")], **options}
    write_page(path, labels, ranking, model, **options)
    return path.read_text(encoding="utf-8")


def test_swapped_fingers_come_first_with_the_annotations_they_are_about(dataset, clean, tmp_path):
    swap_fingers(dataset)
    _, ranking = judged(dataset, clean, tmp_path)
    worst = ranking[0]
    assert worst.frame.stem == BAD
    assert worst.findings[0].kind == "class swapped"
    fingers = {
        a.id
        for a in worst.frame.coco.annotations
        if DEFAULT_CLASSES.names[a.class_id][-6:] == "finger"
    }
    assert set(worst.annotation_ids(worst.findings[0])) == fingers
    assert len(ranking) == 14
    assert ranking[1].suspicion < 0.2


def test_clean_labels_raise_no_suspicion_and_agree(dataset, clean, tmp_path):
    _, ranking = judged(dataset, clean, tmp_path)
    assert max(frame.suspicion for frame in ranking) < 0.2
    assert min(frame.agreement for frame in ranking) > 0.8


def test_a_forgotten_grasp_mark_is_found_as_wrong_order(dataset, clean, tmp_path):
    write_marks(dataset / "selections.json", {"demo0_frame_0001.jpg": "Grasp"})  # without frame 3
    _, ranking = judged(dataset, clean, tmp_path)
    worst = ranking[0]
    assert worst.frame.stem == "demo0_frame_0003"
    assert "order wrong" in {finding.kind for finding in worst.findings}


def test_excluded_marks_change_nothing_but_what_is_told(dataset, clean, tmp_path):
    swap_fingers(dataset)
    plain_labels, plain = judged(dataset, clean, tmp_path / "plain")
    write_marks(
        dataset / "excluded.json", {f"{BAD}.jpg": "Excluded", "demo0_frame_0007": "Excluded"}
    )
    labels, marked = judged(dataset, clean, tmp_path / "marked")
    assert labels.dataset.sha256 == plain_labels.dataset.sha256
    assert [(f.frame.stem, f.suspicion) for f in marked] == [
        (f.frame.stem, f.suspicion) for f in plain
    ]
    assert {f.frame.stem for f in marked if f.excluded} == {BAD, "demo0_frame_0007"}
    assert not any(frame.excluded for frame in plain)
    marks = json.loads((tmp_path / "marked" / LEFT_OUT).read_text())
    assert marks == {"marks": {}}


def test_record_and_page_hold_every_frame(dataset, clean, tmp_path):
    swap_fingers(dataset)
    write_marks(dataset / "excluded.json", {f"{BAD}.jpg": "Excluded"})
    labels, ranking = judged(dataset, clean, tmp_path)
    write_record(tmp_path / "qa.json", labels, ranking, {"options": {"seed": 1}})
    record = json.loads((tmp_path / "qa.json").read_text())
    assert [row["rank"] for row in record["frames"]] == list(range(1, 15))
    first = record["frames"][0]
    assert (first["stem"], first["excluded"]) == (BAD, True)
    assert first["findings"][0]["classes"] == ["static_finger", "moving_finger"]
    assert first["findings"][0]["annotation_ids"]
    assert record["dataset_sha256"] == labels.dataset.sha256
    assert record["options"] == {"seed": 1}
    page = page_of(tmp_path / "qa.html", labels, ranking, clean)
    assert page.count("<article") == page.count("data:image/jpeg;base64,") == 3
    assert page.count("<tr>") >= 15
    assert "static_finger and moving_finger look swapped" in page
    assert "marked as excluded" in page
    assert 'src="http' not in page
    assert not [path for path in tmp_path.iterdir() if ".tmp" in path.name]


def test_ready_made_masks_are_judged_too(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "dataset/images").mkdir(parents=True)
    (tmp_path / "dataset/masks").mkdir()
    masks = true_masks(8)
    for i, mask in enumerate(masks):
        noise = rng.integers(0, 255, (84, 84, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"dataset/images/a_{i}.png")
        label = called(mask, STATIC, TABLE) if i == 2 else mask
        Image.fromarray(label).save(tmp_path / f"dataset/masks/a_{i}.png")

    def of(frame):
        answer = probabilities(masks[int(frame.stem[-1])])
        return SimpleNamespace(
            classes=DEFAULT_CLASSES,
            contract=PreprocessContract((84, 84)),
            probabilities=lambda frame_rgb: answer,
        )

    _, ranking = judged(tmp_path / "dataset", of, tmp_path / "out")
    assert ranking[0].frame.stem == "a_2"
    assert ranking[0].findings[0].kind == "part missing"
    assert ranking[0].annotation_ids(ranking[0].findings[0]) == []


def test_excluded_frame_that_cannot_be_read_is_named_and_left_out(dataset, clean, tmp_path):
    image = next((dataset / "images").rglob("demo0_frame_0005.jpg"))
    image.write_bytes(image.read_bytes()[:-200])
    write_marks(dataset / "excluded.json", {"demo0_frame_0005.jpg": "Excluded"})
    labels, ranking = judged(dataset, clean, tmp_path)
    assert list(labels.unreadable) == ["demo0_frame_0005"]
    assert len(ranking) == 13
    page = page_of(tmp_path / "qa.html", labels, ranking, clean)
    assert "Not looked at" in page


def test_damaged_frame_that_counts_is_an_error(dataset, clean, tmp_path):
    image = next((dataset / "images").rglob("demo0_frame_0005.jpg"))
    image.write_bytes(image.read_bytes()[:-200])
    with pytest.raises(DataError, match="demo0_frame_0005"):
        judged(dataset, clean, tmp_path)


def test_broken_labels_are_an_error_and_nothing_is_written(dataset, tmp_path):
    edit_coco(dataset, lambda table: table["annotations"][0].update(category_id=99))
    with pytest.raises(DataError, match="99"):
        load_all_labels(DatasetPaths(dataset), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_of_other_classes_is_refused(dataset, tmp_path):
    names = [*DEFAULT_CLASSES.names[:3], "mug", *DEFAULT_CLASSES.names[4:]]
    orders = dict.fromkeys(("default", "grasp"), names[1:])
    table = DEFAULT_CLASSES.to_dict() | {"names": names, "draw_orders": orders}
    model = perfect_model(dataset, ClassTable.from_dict(table))
    with pytest.raises(UsageError, match=r"mug.*; the data set has .*cube"):
        judged(dataset, model, tmp_path)


def test_names_of_files_stay_text_on_the_page(tmp_path):
    names = [f"<b>x<b>_{i}" for i in range(3)]
    dataset = make_coco_dataset(tmp_path / "dataset", names=names, size_hw=HW)
    model = perfect_model(dataset)
    labels, ranking = judged(dataset, model, tmp_path / "out")
    page = page_of(tmp_path / "out/qa.html", labels, ranking, model)
    assert "<b>x<b>" not in page
    assert "&lt;b&gt;x" in page
