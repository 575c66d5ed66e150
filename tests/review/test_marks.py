"""Marks are versioned, undone and redone; the disk holds what was answered (P7)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.counts import times
from tests.datasets import make_coco_dataset, write_marks
from tests.review.serving import marks_on_disk
from wristseg.data.marks import read_excluded, read_selections
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.review.frames import FrameTable
from wristseg.review.marks import Change, MarkStore, StaleVersionError


def store_of(dataset):
    frames = FrameTable.of(DatasetPaths(dataset)).frames
    return MarkStore(
        frames, selections=dataset / "selections.json", excluded=dataset / "excluded.json"
    )


def test_a_mark_is_on_disk_before_it_is_answered(coco_dataset):
    store = store_of(coco_dataset)
    marks = store.edit(1, [Change(0, "grasp", value=True), Change(3, "excluded", value=True)])
    names = [frame.file_name for frame in FrameTable.of(DatasetPaths(coco_dataset)).frames]
    selections, excluded = marks_on_disk(coco_dataset)
    assert selections[names[0]] == "Grasp"
    assert excluded == {names[3]: "Excluded"}
    assert (0 in marks.grasp, marks.excluded, marks.can_undo) == (True, frozenset({3}), 1)


def test_a_change_on_an_old_version_is_refused_and_writes_nothing(coco_dataset):
    store = store_of(coco_dataset)
    store.edit(1, [Change(0, "grasp", value=True)])
    before = marks_on_disk(coco_dataset)
    with pytest.raises(StaleVersionError):
        store.edit(1, [Change(2, "grasp", value=True)])
    with pytest.raises(StaleVersionError):
        store.undo(1)
    assert marks_on_disk(coco_dataset) == before


def test_a_file_that_another_program_wrote_is_taken_in_and_not_overwritten(coco_dataset):
    store = store_of(coco_dataset)
    write_marks(coco_dataset / "selections.json", {"demo0_frame_0000.jpg": "Held"})
    with pytest.raises(StaleVersionError):
        store.edit(1, [Change(4, "grasp", value=True)])
    marks = store.marks()
    assert (marks.version, marks.grasp) == (2, frozenset({0}))
    store.edit(2, [Change(1, "grasp", value=True)])
    assert marks_on_disk(coco_dataset)[0]["demo0_frame_0000.jpg"] == "Held"


def test_a_file_that_another_program_broke_stops_changes_until_it_is_mended(coco_dataset):
    store = store_of(coco_dataset)
    whole = (coco_dataset / "selections.json").read_text()
    (coco_dataset / "selections.json").write_text(whole[:10])
    with pytest.raises(DataError, match=r"selections\.json"):
        store.edit(1, [Change(0, "excluded", value=True)])
    assert (coco_dataset / "selections.json").read_text() == whole[:10]
    (coco_dataset / "selections.json").write_text(whole)
    store.edit(store.marks().version, [Change(0, "excluded", value=True)])


def test_labels_of_other_meaning_come_back_with_the_frame(coco_dataset):
    name = "demo0_frame_0000.jpg"
    write_marks(coco_dataset / "excluded.json", {name: "Maybe"})
    store = store_of(coco_dataset)
    assert store.marks().excluded == frozenset()
    marks = store.edit(1, [Change(0, "excluded", value=True)])
    assert marks_on_disk(coco_dataset)[1] == {name: "Excluded"}
    store.edit(marks.version, [Change(0, "excluded", value=False)])
    assert marks_on_disk(coco_dataset)[1] == {name: "Maybe"}


def test_taking_one_copy_of_a_marked_frame_out_leaves_the_others(tmp_path):
    names = [f"a_frame_1_jpg.rf.{letter * 8}" for letter in "abc"]
    dataset = make_coco_dataset(tmp_path / "d", frames=3, names=names, grasp=())
    write_marks(dataset / "selections.json", {"a_frame_1.jpg": "Held", "gone.jpg": "Held"})
    store = store_of(dataset)
    assert store.marks().grasp == {0, 1, 2}
    marks = store.edit(1, [Change(1, "grasp", value=False)])
    assert marks.grasp == {0, 2}
    assert marks_on_disk(dataset)[0] == {
        "gone.jpg": "Held",
        f"{names[0]}.jpg": "Held",
        f"{names[2]}.jpg": "Held",
    }
    assert store.undo(marks.version)[0].grasp == {0, 1, 2}


def test_undo_brings_back_the_exact_labels_and_names_the_frames(coco_dataset):
    write_marks(coco_dataset / "selections.json", {"demo0_frame_0000.png": "Held"})
    before = marks_on_disk(coco_dataset)
    store = store_of(coco_dataset)
    marks = store.edit(1, [Change(0, "grasp", value=False), Change(2, "excluded", value=True)])
    marks, frames = store.undo(marks.version)
    assert marks_on_disk(coco_dataset) == before
    assert frames == (0, 2)
    marks, frames = store.redo(marks.version)
    assert (marks.grasp, marks.excluded) == (frozenset(), frozenset({2}))
    assert store.redo(marks.version) == (marks, ())


def test_a_change_that_changes_nothing_writes_nothing(coco_dataset):
    store = store_of(coco_dataset)
    stat = (coco_dataset / "selections.json").stat()
    numbers = store.marks().grasp
    marks = store.edit(1, [Change(number, "grasp", value=True) for number in numbers])
    assert (marks.version, marks.can_undo) == (1, 0)
    assert (coco_dataset / "selections.json").stat().st_ino == stat.st_ino


class MarksMachine(RuleBasedStateMachine):
    """A model in memory beside the store; what is read from disk must equal it."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.dataset = make_coco_dataset(Path(self.folder.name) / "d", size_hw=(8, 8))
        self.store = store_of(self.dataset)
        self.stems = [f.candidate.stem for f in FrameTable.of(DatasetPaths(self.dataset)).frames]
        marks = self.store.marks()
        self.version = marks.version
        self.now = (set(marks.grasp), set(marks.excluded))
        self.past, self.future = [], []

    def teardown(self):
        self.folder.cleanup()

    @rule(
        changes=st.lists(
            st.tuples(st.integers(0, 5), st.sampled_from(["grasp", "excluded"]), st.booleans()),
            min_size=1,
            max_size=4,
        )
    )
    def edit(self, changes):
        marks = self.store.edit(self.version, [Change(n, k, value=v) for n, k, v in changes])
        after = (set(self.now[0]), set(self.now[1]))
        for number, kind, value in changes:
            marked = after[kind == "excluded"]
            (marked.add if value else marked.discard)(number)
        if after != self.now:
            self.past.append(self.now)
            self.future = []
            self.now = after
        self.version = marks.version

    @rule()
    def undo(self):
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()
        self.version = self.store.undo(self.version)[0].version

    @rule()
    def redo(self):
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()
        self.version = self.store.redo(self.version)[0].version

    @rule(behind=st.integers(1, 3))
    def stale_edit(self, behind):
        with pytest.raises(StaleVersionError):
            self.store.edit(self.version - behind, [Change(0, "grasp", value=True)])

    @rule()
    def reload(self):
        self.version = self.store.marks().version

    @rule()
    def restart(self):
        self.store = store_of(self.dataset)
        self.version = self.store.marks().version
        self.past, self.future = [], []

    @precondition(lambda self: self.now[0])
    @rule(data=st.data())
    def another_program_unmarks(self, data):
        number = data.draw(st.sampled_from(sorted(self.now[0])))
        path = self.dataset / "selections.json"
        value = json.loads(path.read_text())
        value["marks"] = {
            k: v for k, v in value["marks"].items() if not k.startswith(self.stems[number])
        }
        path.write_text(json.dumps(value))
        self.now = (self.now[0] - {number}, self.now[1])
        self.past, self.future = [], []
        self.version = self.store.marks().version

    @invariant()
    def disk_equals_model(self):
        assert read_selections(self.dataset / "selections.json") == {
            self.stems[number] for number in self.now[0]
        }
        assert read_excluded(self.dataset / "excluded.json") == {
            self.stems[number] for number in self.now[1]
        }


_FEW = {"max_examples": 15, "stateful_step_count": 20}
_MANY = {"max_examples": times(200, 2_000), "stateful_step_count": 40}
_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@pytest.mark.tried(_FEW["max_examples"])
class TestP7MarksEqualTheDisk(MarksMachine.TestCase):
    settings = settings(**_FEW, **_SLOW_IS_FINE)


@pytest.mark.slow
@pytest.mark.timeout(times(300, 3600))
@pytest.mark.tried(_MANY["max_examples"])
class TestP7MarksEqualTheDiskAtLength(MarksMachine.TestCase):
    settings = settings(**_MANY, **_SLOW_IS_FINE)
