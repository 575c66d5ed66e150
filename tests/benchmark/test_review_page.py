"""The review page is timed on copies of a data set; where it cannot be, it is said why."""

from __future__ import annotations

import numpy as np
import pytest

from tests.datasets import make_coco_dataset
from wristseg.benchmark import review_page
from wristseg.benchmark.page import results_page
from wristseg.benchmark.plan import Plan
from wristseg.benchmark.process import ContestantError
from wristseg.benchmark.results import Results
from wristseg.benchmark.review_page import measure_review_page
from wristseg.benchmark.run import Run
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths

TINY = Plan(
    ((64, 96), (32, 32)), 1, 0.0, 1, 0, 0, 0, 0, 0, None, 0, (), None,
    page_rounds=1, page_frames=9, page_keys=2,
)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=4, grasp=())
    machine = {"memory_gib": None, "instructions": [], "processor": "", "cores": 1, "system": ""}
    results = Results({**machine, "load_before": 0}, {}, None, "", {}, ("96x64", "32x32"))
    images = sorted((dataset / "images/default").iterdir())
    turns = []
    found = Run(TINY, results, 0, lambda: turns.append(1), tmp_path, None, None, dataset, images)
    found.turns = turns
    return found


def test_copies_of_a_data_set_have_other_names_and_the_same_labels(run, tmp_path):
    folder = review_page._write_dataset(run, tmp_path / "copies")
    source, copies = (load_labels(DatasetPaths(path)) for path in (run.dataset, folder))
    assert len(copies.frames) == 9
    by_stem = {frame.stem: source.mask(frame) for frame in source.frames}
    for frame in copies.frames:
        np.testing.assert_array_equal(copies.mask(frame), by_stem[frame.stem.partition("_")[2]])


def test_without_a_browser_or_a_coco_file_it_is_said_why(run, tmp_path, monkeypatch):
    monkeypatch.setattr(review_page, "find_browser", lambda: None)
    with pytest.raises(ContestantError, match="no browser: none of chromium"):
        measure_review_page(run)
    assert run.results.review_page is None
    assert "## Review page" not in results_page(run.results, plot="x.png")


@pytest.mark.browser
def test_page_is_timed_from_its_address_to_a_saved_mark_and_key_by_key(run):
    measure_review_page(run)
    found = run.results.review_page
    assert (found.frames, found.start.count, found.usable.count, found.key.count) == (9, 1, 1, 2)
    assert 0 < found.key.median < 30
    assert 0 < found.usable.median < 60
    assert run.turns == [1]
    page = results_page(run.results, plot="x.png")
    assert "| page of 9 frames usable, s |" in page
    assert found.browser in page
    assert not list(run.scratch.glob("page_*")), "copies go when they have been shown"
