"""Stage ``check``: every kind of fault is found, listed at once, and put on the page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.datasets import coco_file, edit_coco, make_coco_dataset, rectangle, write_marks
from wristseg.cli.check import main
from wristseg.configs import CheckConfig
from wristseg.data.check import check_dataset
from wristseg.data.check_facts import duplicate_images
from wristseg.data.check_report import CheckReport
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import UsageError


def check(folder: Path, **options: object) -> CheckReport:
    return check_dataset(CheckConfig(folder, output=folder / "check.html", **options))  # type: ignore[arg-type]


def found(report: CheckReport, topic: str, severity: str) -> list[str]:
    return [f.text for f in report.findings if (f.topic, f.severity) == (topic, severity)]


def separate(folder: Path) -> Path:
    """Move the fingers away from the cube, so that no order matters."""

    def edit(table: dict[str, list[dict[str, object]]]) -> None:
        for annotation in table["annotations"]:
            if annotation["category_id"] in {4, 5}:
                left = 0 if annotation["category_id"] == 5 else 58
                annotation["segmentation"] = [rectangle(left, 30, left + 4, 48)]

    edit_coco(folder, edit)
    return folder


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    folder = separate(make_coco_dataset(tmp_path / "clean", frames=12, grasp=(), recordings=1))
    (folder / "selections.json").unlink()
    return folder


def test_clean_data_set_has_no_errors_and_a_page_without_outside_links(clean: Path) -> None:
    report = check(clean)
    assert not report.has_errors
    assert report.counts["warning"] == 0
    assert report.verdict == "No errors, no warnings: ready for training."
    page = (clean / "check.html").read_text()
    assert "12</b><span>frames that count" in page
    assert "data:image/jpeg;base64," in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_histogram_counts_pixels_and_frames(clean: Path) -> None:
    labels = load_labels(DatasetPaths(clean))
    by_name = {row.name: row for row in check(clean).classes}
    cube = sum(int((labels.mask(frame) == 3).sum()) for frame in labels.frames)
    assert (by_name["cube"].pixels, by_name["cube"].frames) == (cube, 12)
    assert sum(row.share for row in by_name.values()) == pytest.approx(1.0)


def test_default_frame_whose_cube_lies_between_the_fingers_looks_mistagged(tmp_path: Path) -> None:
    report = check(make_coco_dataset(tmp_path, frames=4, grasp=(0, 1, 2)))
    (text,) = found(report, "tags", "warning")
    assert text.startswith("demo1_frame_0003 looks like a grasp frame without a mark")


def test_default_frame_with_one_finger_over_the_cube_is_worth_a_look(tmp_path: Path) -> None:
    folder = separate(make_coco_dataset(tmp_path, frames=4, grasp=()))
    edit_coco(folder, lambda t: t["annotations"][4].update(segmentation=[rectangle(0, 5, 30, 48)]))
    (text,) = found(check(folder), "tags", "note")
    assert text.startswith("demo0_frame_0000: ")
    assert "overlap" in text


def test_grasp_mark_without_overlap_looks_mistagged(clean: Path) -> None:
    write_marks(clean / "selections.json", {"demo0_frame_0004.jpg": "Grasp"})
    (text,) = found(check(clean), "tags", "warning")
    assert text.startswith("demo0_frame_0004 is marked as grasp, but no outlines overlap")


def test_names_that_match_nothing_are_reported(clean: Path) -> None:
    write_marks(clean / "excluded.json", {"nowhere_0001.jpg": "Excluded"})
    assert "'nowhere_0001'" in found(check(clean), "names", "warning")[0]


def test_missing_cut_and_resized_images_are_reported_together(clean: Path) -> None:
    images = clean / "images/default"
    (images / "demo0_frame_0001.jpg").unlink()
    cut = images / "demo0_frame_0002.jpg"
    cut.write_bytes(cut.read_bytes()[:-200])
    edit_coco(clean, lambda t: t["images"][3].update(height=49))
    report = check(clean)
    assert "demo0_frame_0001.jpg" in found(report, "missing images", "error")[0]
    assert "demo0_frame_0002.jpg" in found(report, "image files", "error")[0]
    assert "image is 48x64" in found(report, "image sizes", "error")[0]
    assert report.counts["error"] == 3
    assert report.verdict == "3 errors: mend before training."
    assert "demo0_frame_0002.jpg" in report.page.read_text()


def test_f11_same_image_in_training_and_validation_is_an_error(clean: Path) -> None:
    # Every frame the same: whatever the split, both sides have it.
    images = sorted((clean / "images/default").iterdir())
    for path in images[1:]:
        shutil.copyfile(images[0], path)
    report = check(clean)
    assert "in training and in validation" in found(report, "leak", "error")[0]


def test_f11_duplicates_on_one_side_are_a_warning(clean: Path) -> None:
    frames = load_labels(DatasetPaths(clean)).frames
    shutil.copyfile(frames[0].image_path, frames[5].image_path)
    assert duplicate_images(frames) == [(frames[0].stem, frames[5].stem)]
    severities = set()
    for seed in range(8):
        report = check(clean, seed=seed)
        both = ("leak", "error"), ("duplicates", "warning")
        severities.update(kind for kind in both if found(report, *kind))
    assert severities == {("leak", "error"), ("duplicates", "warning")}


def test_f11_one_frame_cannot_be_split(tmp_path: Path) -> None:
    report = check(make_coco_dataset(tmp_path, frames=1, grasp=()))
    assert report.has_errors
    assert found(report, "split", "error")


def test_neighbours_of_a_recording_on_both_sides_are_noted(clean: Path) -> None:
    report = check(clean)
    assert report.split is not None
    assert report.split.neighbours > 0
    assert "next to a training frame" in found(report, "leak", "note")[0]


def test_class_nobody_drew_and_frame_without_a_usual_class_are_reported(clean: Path) -> None:
    def edit(table: dict[str, list[dict[str, object]]]) -> None:
        table["annotations"] = [a for a in table["annotations"] if a["category_id"] != 3]

    edit_coco(clean, edit)
    assert found(check(clean), "classes", "error") == [
        "cube is on no frame, and training would refuse that; label some, or leave the class out of"
        " the table in dataset.yaml"
    ]


def test_frame_that_lacks_what_nearly_all_have_is_noted(tmp_path: Path) -> None:
    folder = separate(make_coco_dataset(tmp_path, frames=24, grasp=()))
    edit_coco(folder, lambda t: t["annotations"].pop(4))
    assert found(check(folder), "classes", "note") == [
        "demo0_frame_0000 has no moving_finger, which 96% of the frames have"
    ]


@pytest.mark.parametrize("content", ["{", "[]", '{"images": 1}', ""])
def test_broken_coco_file_still_gives_a_page_with_the_faults(content: str, clean: Path) -> None:
    coco_file(clean).write_text(content)
    report = check(clean)
    assert report.has_errors
    assert report.findings[0].text.splitlines()[0] in report.page.read_text().replace("&#39;", "'")


def test_folder_without_an_export_gives_a_page_too(tmp_path: Path) -> None:
    assert found(check(tmp_path), "files", "error")
    assert "no COCO export found" in (tmp_path / "check.html").read_text()


def test_names_on_the_page_are_text_and_not_html(tmp_path: Path) -> None:
    names = ["<script>alert(1)<script>", "b"]
    report = check(make_coco_dataset(tmp_path, names=names, grasp=()))
    assert "<script>" not in report.page.read_text()
    assert "&lt;script&gt;" in report.page.read_text()


def test_missing_folder_is_a_usage_error_without_a_page(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        check_dataset(CheckConfig(tmp_path / "nowhere", output=tmp_path / "x.html"))
    assert not (tmp_path / "x.html").exists()


def test_an_image_nobody_listed_may_have_any_name(clean: Path) -> None:
    shutil.copy(next(clean.rglob("*.jpg")), clean / "images/default/bad\udcff.jpg")
    report = check(clean)
    assert not report.has_errors
    assert "not used: 1 (bad\\xff.jpg)" in (clean / "check.html").read_text()


def test_ready_made_masks_are_checked_too(tmp_path: Path) -> None:
    from tests.data.test_labels import ready_made

    report = check(ready_made(tmp_path))
    assert report.frames == 3
    assert {row.name for row in report.classes if row.frames} >= {"cube", "table"}


def test_command_prints_the_report_and_ends_with_0_or_3(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = clean / "out/check.html"
    assert main([str(clean), "--output", str(page)]) == 0
    said = capsys.readouterr().out
    assert "12 frames (12 default)" in said
    assert f"page: {page}" in said
    assert page.is_file()
    edit_coco(clean, lambda t: t["annotations"][0].update(iscrowd=3))
    assert main([str(clean), "--output", str(page)]) == 3
    assert "iscrowd is 3" in capsys.readouterr().out


def test_f32_check_page_goes_to_a_folder_with_spaces(clean: Path) -> None:
    page = clean / "neuer Ordner é/seite 1.html"
    assert main([str(clean), "--output", str(page)]) == 0
    assert page.is_file()


def test_f32_page_that_cannot_be_written_ends_with_3(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clean / "taken").write_text("")
    assert main([str(clean), "--output", str(clean / "taken/check.html")]) == 3
    assert "taken" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["instances_default.json", "page"])
def test_page_never_takes_the_place_of_another_file(clean: Path, name: str) -> None:
    before = (clean / "annotations" / "instances_default.json").read_bytes()
    with pytest.raises(UsageError, match=r"ending in \.html"):
        check_dataset(CheckConfig(clean, output=clean / "annotations" / name))
    assert (clean / "annotations" / "instances_default.json").read_bytes() == before
