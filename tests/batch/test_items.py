"""Which inputs there are, who labels them, and what becomes of one that is begun again."""

from __future__ import annotations

import dataclasses
import json
import signal

import numpy as np
import pytest

from tests.batch.clips import make_inputs
from tests.lerobot.datasets import make_dataset
from tests.predict.clips import make_clip
from wristseg.batch.index import IMAGE_COCO, INDEX, write_index
from wristseg.batch.inputs import find_items, part_of
from wristseg.batch.item import Labeller
from wristseg.batch.job import Item, Job, Outcome
from wristseg.batch.ray_engine import _Actor
from wristseg.batch.records import Records
from wristseg.batch.store import open_store
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import CheckpointError
from wristseg.interruption import Terminated, signals_raise


class StubModel:
    """Segments nothing; raises what it is told to."""

    classes = DEFAULT_CLASSES

    def __init__(self, error=None):
        self.error = error

    def predict_rgb(self, frame_rgb):
        if self.error is not None:
            raise self.error
        return np.zeros(frame_rgb.shape[:2], np.uint8)


@pytest.fixture
def job(tmp_path):
    return Job(output=str(tmp_path / "out"), checkpoint="stub", model_sha256="0" * 64)


@pytest.fixture
def item(tmp_path):
    return Item(str(make_clip(tmp_path / "clip.mp4", frames=3)), "video")


def records_in(tmp_path, suffix):
    return [json.loads(path.read_text()) for path in (tmp_path / "out").rglob(f"*.{suffix}")]


def test_inputs_are_found_once_and_sorted(tmp_path):
    folder = make_inputs(tmp_path / "in", clips=3)
    texts = [str(folder / "clip_002.mp4"), str(folder), f"{folder}/*.mp4", f"file://{folder}"]
    names = [item.name for item in find_items(texts, camera=None)]
    assert names == sorted(str(path) for path in folder.iterdir())


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_lerobot_videos_know_their_episodes(tmp_path, version):
    root = make_dataset(tmp_path / "pick_cube", version=version, lengths=(6, 5, 7))
    items = find_items([str(root)], camera="wrist")
    spans = [span for item in items for span in item.lerobot["episodes"]]
    assert [(span["episode"], span["length"]) for span in spans] == [(0, 6), (1, 5), (2, 7)]
    assert {item.lerobot["camera"] for item in items} == {"observation.images.wrist"}
    job = Job(output=str(tmp_path / "out"), checkpoint="stub", model_sha256="0" * 64)
    outcomes = [Labeller(job, StubModel()).label(item) for item in items]
    assert sum(outcome.frames for outcome in outcomes) == 18
    assert outcomes[0].entry["lerobot"]["dataset"] == "pick_cube"


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_are_all_inputs_each_once(parts):
    items = [Item(f"{i:02d}", "video") for i in range(20)]
    found = [item for i in range(parts) for item in part_of(items, (i, parts))]
    assert sorted(found, key=lambda item: item.name) == items


def test_key_changes_with_bytes_model_and_what_is_made(job):
    key = job.key("1" * 64, "video")
    others = [
        job.key("2" * 64, "video"),
        job.key("1" * 64, "image"),
        Job("x", "stub", "1" * 64).key("1" * 64, "video"),
        Job("x", "stub", "0" * 64, masks="rle").key("1" * 64, "video"),
        Job("x", "stub", "0" * 64, coco=True).key("1" * 64, "video"),
    ]
    assert key not in others
    assert len(set(others)) == len(others)
    assert key == Job("elsewhere", "stub", "0" * 64, attempts=9).key("1" * 64, "video")


@pytest.mark.parametrize("error", [RuntimeError("of the model"), MemoryError(), ValueError("x")])
def test_input_that_fails_is_quarantined_with_its_reason(tmp_path, job, item, error):
    labeller = Labeller(job, StubModel(error))
    assert [labeller.label(item).status for _ in range(4)] == [
        "failed",
        "failed",
        "quarantined",
        "quarantined",
    ]
    (said,) = records_in(tmp_path, "quarantined.json")
    assert said["problems"] == [f"{type(error).__name__}: {error}"]
    assert not list((tmp_path / "out").rglob("*.masks.*"))


def test_input_whose_worker_always_dies_is_quarantined_without_being_begun_again(
    tmp_path, job, item
):
    class Killed(BaseException):
        """What SIGKILL leaves: an attempt that was begun, and no word."""

    for _ in range(3):
        with pytest.raises(Killed):
            Labeller(job, StubModel(Killed())).label(item)
    outcome = Labeller(job, StubModel()).label(item)
    assert outcome.status == "quarantined"
    assert "ended without a result" in outcome.entry["problems"][0]


@pytest.mark.parametrize("error", [Terminated(), KeyboardInterrupt(), OSError(28, "No space")])
def test_what_comes_from_outside_is_no_attempt(tmp_path, job, item, error):
    for _ in range(5):
        with pytest.raises(type(error)):
            Labeller(job, StubModel(error)).label(item)
    assert [count["attempts"] for count in records_in(tmp_path, "attempts")] == [0]
    assert Labeller(job, StubModel()).label(item).status == "done"
    assert records_in(tmp_path, "attempts") == []


def test_f17_signal_while_the_manifest_is_written_waits_for_it(tmp_path, job, item, monkeypatch):
    written = Records.finish

    def interrupted(records, said):
        signal.raise_signal(signal.SIGTERM)
        written(records, said)

    monkeypatch.setattr(Records, "finish", interrupted)
    with pytest.raises(Terminated), signals_raise():
        Labeller(job, StubModel()).label(item)
    assert records_in(tmp_path, "attempts") == []
    assert Labeller(job, StubModel()).label(item).kept


def test_input_that_changes_under_the_reader_is_never_done(tmp_path, job, item):
    class Changing(StubModel):
        def predict_rgb(self, frame_rgb):
            make_clip(tmp_path / "clip.mp4", frames=4)
            return super().predict_rgb(frame_rgb)

    assert Labeller(job, Changing()).label(item).status == "failed"
    assert records_in(tmp_path, "done.json") == []


def test_missing_input_is_quarantined_and_labelled_when_it_is_there(tmp_path, job):
    item = Item(str(tmp_path / "late.mp4"), "video")
    labeller = Labeller(job, StubModel())
    assert [labeller.label(item).status for _ in range(3)][-1] == "quarantined"
    make_clip(tmp_path / "late.mp4", frames=3)
    assert labeller.label(item).status == "done"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"attempts":'])
def test_torn_record_counts_as_none(tmp_path, job, item, content):
    Labeller(job, StubModel()).label(item)
    (path,) = (tmp_path / "out").rglob("*.done.json")
    path.write_text(content)
    outcome = Labeller(job, StubModel()).label(item)
    assert (outcome.status, outcome.kept) == ("done", False)


def test_only_the_manifest_makes_outputs_count(tmp_path, job, item):
    Labeller(job, StubModel()).label(item)
    (manifest,) = (tmp_path / "out").rglob("*.done.json")
    (masks,) = (tmp_path / "out").rglob("*.masks.mkv")
    manifest.unlink()
    masks.write_bytes(b"half")
    assert Labeller(job, StubModel()).label(item).kept is False
    assert masks.read_bytes() != b"half"
    store = open_store(job.output)
    assert Records(store, manifest.name.split(".")[0]).finished(verify=True) is not None


def video(name):
    return {"input": name, "outputs": {}, "kind": "video"}


def test_index_of_all_parts_does_not_depend_on_their_order(tmp_path):
    entries = [video(f"{i}.mp4") for i in range(7)]
    made = []
    for order in ((0, 1, 2), (2, 0, 1)):
        store = open_store(str(tmp_path / str(order)))
        for number in order:
            write_index(store, entries[number::3], job="a", part=(number, 3))
        made.append(store.read_text(INDEX))
    assert made[0] == made[1]
    assert [json.loads(line)["input"] for line in made[0].splitlines()] == [
        f"{i}.mp4" for i in range(7)
    ]


def test_index_forgets_parts_of_another_division(tmp_path):
    store = open_store(str(tmp_path))
    write_index(store, [video("old.mp4")], job="a", part=(0, 2))
    lines = write_index(store, [video("new.mp4")], job="a", part=(0, 1))
    assert lines == [video("new.mp4")]


def test_a_part_that_ends_while_another_writes_loses_none_of_its_images(tmp_path, monkeypatch):
    store, other = open_store(str(tmp_path)), open_store(str(tmp_path))
    image = {"id": 1, "file_name": "", "height": 4, "width": 4}
    coco = {"info": {}, "categories": [], "images": [image], "annotations": []}
    entries = []
    for name in "ab":
        store.write_text(f"items/{name}.coco.json", json.dumps(coco))
        outputs = {f"items/{name}.coco.json": {}}
        entries.append({"input": f"{name}.png", "outputs": outputs, "kind": "image"})
    write, met = store.write_text, []

    def write_late(name, text):
        if name == IMAGE_COCO and not met:
            met.append(name)
            write_index(other, entries[1:], job="a", part=(1, 2))
        write(name, text)

    monkeypatch.setattr(store, "write_text", write_late)
    write_index(store, entries[:1], job="a", part=(0, 2))
    said = json.loads(store.read_text(IMAGE_COCO))
    assert [image["file_name"] for image in said["images"]] == ["a.png", "b.png"]


def test_index_holds_masks_of_one_model_alone(tmp_path, job):
    other = dataclasses.replace(job, model_sha256="1" * 64)
    assert other.digest() != job.digest() == dataclasses.replace(job, attempts=9).digest()
    store = open_store(str(tmp_path))
    write_index(store, [video("a.mp4")], job=other.digest(), part=(1, 2))
    for number, name in ((0, "b.mp4"), (1, "c.mp4")):
        lines = write_index(store, [video(name)], job=job.digest(), part=(number, 2))
    assert lines == [video("b.mp4"), video("c.mp4")]


def test_actor_answers_with_rows_and_never_raises(job, item):
    row = {"number": 4, "item": json.dumps(dataclasses.asdict(item))}
    answer = _Actor(job, lambda _job: StubModel())(row)
    outcome = Outcome(**json.loads(answer["outcome"]))
    assert (answer["number"], answer["error"], outcome.status, outcome.frames) == (4, "", "done", 3)
    assert Labeller(job, StubModel()).label(item).entry == outcome.entry

    def refuse(_job):
        raise CheckpointError("another file on this machine")

    answer = _Actor(job, refuse)(row)
    assert (answer["error"], answer["code"]) == ("another file on this machine", 3)


def test_actor_tells_that_outputs_cannot_be_written(job, item):
    answer = _Actor(job, lambda _job: StubModel(OSError(28, "No space left on device")))
    row = {"number": 0, "item": json.dumps(dataclasses.asdict(item))}
    assert "No space left" in answer(row)["error"]
    assert "No space left" in answer(row)["error"], "and goes on saying so"
