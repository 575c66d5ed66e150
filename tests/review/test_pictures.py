"""What the page shows: pictures, class ids, thumbnails, what the scan finds, what was looked at."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading

import numpy as np
import pytest
from PIL import Image

from tests.datasets import coco_file, edit_coco, make_coco_dataset
from tests.review.serving import awaited, marks_on_disk, plain_model, serving, wait_until
from wristseg.artifacts import atomic_path
from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.configs import CheckConfig, MasksConfig, ReviewConfig
from wristseg.data.check import check_dataset
from wristseg.data.labels import load_labels
from wristseg.data.masks import generate_masks
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.review import app
from wristseg.review.cache import FileCache
from wristseg.review.looked import LookedAt
from wristseg.review.model import Model
from wristseg.review.server import open_review, serve_review

NEWS = "/api/news?version=1&found=0"


def ids(answer, size_hw=(48, 64)):
    assert answer.headers["content-encoding"] == "gzip"
    return np.frombuffer(gzip.decompress(answer.body), np.uint8).reshape(size_hw)


def test_class_ids_are_those_that_training_sees_in_each_order(client, coco_dataset):
    dataset = load_labels(DatasetPaths(coco_dataset))
    names = [frame["name"] for frame in client.get("/api/state").json["frames"]]
    for frame in dataset.frames:
        number = names.index(frame.image_path.name)
        found = ids(client.get(f"/api/frames/{number}/labels/{frame.tag}"))
        assert np.array_equal(found, dataset.mask(frame))
    default, grasp = (ids(client.get(f"/api/frames/0/labels/{t}")) for t in ("default", "grasp"))
    assert not np.array_equal(default, grasp)


def test_frames_are_sorted_by_recording_and_excluded_ones_are_there(tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", excluded=(2,), unlabelled=(3,))
    with serving(dataset, cache) as client:
        state = client.get("/api/state").json
    recordings = [frame["recording"] for frame in state["frames"]]
    assert recordings == sorted(recordings)
    assert len(state["frames"]) == 6
    names = [frame["name"] for frame in state["frames"]]
    assert state["marks"]["excluded"] == [names.index("demo0_frame_0002.jpg")]
    assert [f["name"] for f in state["frames"] if not f["labelled"]] == ["demo1_frame_0003.jpg"]


def test_picture_and_thumbnail_are_jpegs_of_their_size(client):
    picture = client.get("/api/frames/0/image")
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.body)).size == (64, 48)
    plain = client.get("/api/frames/0/thumbnail").body
    assert Image.open(io.BytesIO(plain)).size == (320, 240)
    assert client.get("/api/frames/0/thumbnail?labels=grasp").body != plain


def test_scan_finds_damage_orders_and_disagreement(tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", frames=4)
    images = sorted((dataset / "images/default").iterdir())
    images[0].write_bytes(images[0].read_bytes()[:200])
    Image.new("RGB", (30, 30)).save(images[1])
    images[3].unlink()
    with serving(dataset, cache, model=plain_model(2), scan=True) as client:
        names = [frame["name"] for frame in client.get("/api/state").json["frames"]]
        found = found_by_scan(client)
        model = client.get(f"/api/frames/{names.index(images[2].name)}/model")
        assert set(np.unique(ids(model))) == {2}
    assert "damaged" in found[images[0].name]["fault"]
    assert "30x30" in found[images[1].name]["fault"]
    assert "no such file" in found[images[3].name]["fault"]
    whole = found[images[2].name]
    assert whole["fault"] is None
    assert whole["differs"] is True
    iou, worst = whole["fits"]["default"]
    assert (0 < iou < 0.3, worst in {1, 3, 4, 5}) == (True, True)
    assert found[images[0].name]["fits"] == {}


def found_by_scan(client, *, step="done"):
    wait_until(lambda: client.get(NEWS).json["scan"]["step"] == step)
    names = [frame["name"] for frame in client.get("/api/state").json["frames"]]
    return {names[f["frame"]]: f for f in client.get(NEWS).json["findings"]}


def test_frames_are_read_while_the_model_is_made_ready_and_compared_afterwards(coco_dataset, cache):
    until = threading.Event()
    with serving(coco_dataset, cache, model=awaited(plain_model(2), until), scan=True) as client:
        before = found_by_scan(client, step="waiting")
        assert client.get("/api/state").json["model"] == "plain.ckpt"
        early = client.get("/api/frames/0/model")
        assert (early.status, early.json["error"]) == (503, "plain.ckpt is being made ready")
        until.set()
        after = found_by_scan(client)
        assert client.get("/api/frames/0/model").status == 200
    assert before.keys() == after.keys()
    assert len(after) == 6
    assert all(found["fits"] == {} for found in before.values())
    assert all(found["fits"] for found in after.values())
    assert [f["hints"] for f in before.values()] == [f["hints"] for f in after.values()]


def test_findings_that_do_not_fit_one_answer_come_with_the_next(coco_dataset, cache, monkeypatch):
    monkeypatch.setattr(app, "_FINDINGS_PER_ANSWER", 4)
    with serving(coco_dataset, cache, scan=True) as client:
        wait_until(lambda: client.get(NEWS).json["scan"]["step"] == "done")
        first, second = (client.get(f"/api/news?version=1&found={n}").json for n in (0, 4))
    assert ([len(news["findings"]) for news in (first, second)], first["more"]) == ([4, 2], True)
    assert second["more"] is False


def test_scan_says_which_tag_the_outlines_speak_against(tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", frames=3, unlabelled=(2,))

    def without_fingers(table):
        kept = [row for row in table["annotations"] if row["image_id"] != 2]
        kept += [row for row in table["annotations"] if row["image_id"] == 2][:3]
        table["annotations"] = kept

    edit_coco(dataset, without_fingers)
    with serving(dataset, cache, scan=True) as client:
        found = found_by_scan(client)
    held = found["demo0_frame_0000.jpg"]["hints"]
    assert held.keys() == {"default"}
    assert held["default"]["severity"] == "warning"
    assert "looks like a grasp frame without a mark" in held["default"]["text"]
    alone = found["demo1_frame_0001.jpg"]["hints"]
    assert alone.keys() == {"grasp"}
    assert "the mark changes nothing" in alone["grasp"]["text"]
    assert found["demo0_frame_0002.jpg"]["hints"] == {}, "nobody labelled it"


def test_page_and_check_say_the_same_of_tags(coco_dataset, cache, tmp_path):
    report = check_dataset(CheckConfig(coco_dataset, output=tmp_path / "page.html"))
    said = {finding.text for finding in report.findings if finding.topic == "tags"}
    with serving(coco_dataset, cache, scan=True) as client:
        found = found_by_scan(client)
    tags = {f.image_path.name: f.tag for f in load_labels(DatasetPaths(coco_dataset)).frames}
    hints = [finding["hints"].get(tags[name]) for name, finding in found.items()]
    assert {hint["text"] for hint in hints if hint is not None} == said
    assert len(said) == 5


def test_a_model_of_other_classes_is_refused(coco_dataset, cache):
    table = {**DEFAULT_CLASSES.to_dict()}
    table["names"] = [*table["names"][:3], "mug", *table["names"][4:]]
    table["draw_orders"] = {
        tag: ["mug" if name == "cube" else name for name in order]
        for tag, order in table["draw_orders"].items()
    }
    other = Model("m.ckpt", "x", ClassTable.from_dict(table), lambda frame: frame[..., 0])
    config = ReviewConfig(coco_dataset, no_open=True)
    with pytest.raises(UsageError, match=r"m\.ckpt predicts .*mug.*the data set has .*cube"):
        serve_review(config, awaited(other), cache=cache)


def test_problems_of_labels_stand_at_their_frame_and_the_rest_at_the_data_set(tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", frames=2)

    def spoil(table):
        table["annotations"][0]["segmentation"] = [[1, 2, 3]]
        table["images"].append({"id": "x", "file_name": "a.jpg", "width": 1, "height": 1})

    edit_coco(dataset, spoil)
    with serving(dataset, cache) as client:
        state = client.get("/api/state").json
    assert [bool(frame["problems"]) for frame in state["frames"]] == [True, False]
    assert any("id" in text for text in state["problems"])


def test_ready_made_masks_are_shown_and_not_drawn_again(tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", unlabelled=(3,))
    generate_masks(MasksConfig(dataset))
    coco_file(dataset).unlink()
    with serving(dataset, cache) as client:
        state = client.get("/api/state").json
        assert (len(state["frames"]), state["can_redraw"]) == (6, False)
        assert ids(client.get("/api/frames/0/labels/default")).max() == 5
        number = [frame["labelled"] for frame in state["frames"]].index(False)
        assert ids(client.get(f"/api/frames/{number}/labels/default")).max() == 0
        assert client.post("/api/masks", {}).status == 409


def test_masks_are_drawn_again_with_the_marks_that_were_made(client, coco_dataset):
    assert client.mark(0, excluded=True).status == 200
    assert client.post("/api/masks", {}).json["state"] == "running"

    def state():
        return client.get("/api/news?version=1&found=0").json["redraw"]

    wait_until(lambda: state()["state"] != "running", seconds=60)
    assert state()["state"] == "done", state()
    assert "5 masks in" in state()["text"]
    assert len(list((coco_dataset / "masks").glob("*.png"))) == 5


def test_what_was_looked_at_is_there_after_a_restart_and_not_in_the_data_set(coco_dataset, cache):
    before = marks_on_disk(coco_dataset), sorted(p.name for p in coco_dataset.iterdir())
    with serving(coco_dataset, cache) as client:
        assert client.post("/api/looked", {"frames": [1, 4, 1]}).status == 200
        assert client.post("/api/looked", {"frames": [6]}).status == 400
    with serving(coco_dataset, cache) as client:
        assert client.get("/api/state").json["looked"] == [1, 4]
    assert before == (marks_on_disk(coco_dataset), sorted(p.name for p in coco_dataset.iterdir()))


def test_a_damaged_memory_of_what_was_looked_at_is_empty(tmp_path):
    path = tmp_path / "looked_at.json"
    path.write_text('{"looked')
    looked = LookedAt(path, ["a", "b"])
    assert looked.numbers() == []
    looked.add([1])
    assert json.loads(path.read_text()) == {"looked_at": ["b"]}


def test_cache_stays_below_its_bound_and_drops_what_was_unused_longest(tmp_path):
    cache = FileCache(tmp_path / "c", max_bytes=1000)
    for key in range(12):
        cache.get_or_make(str(key), lambda: b"x" * 100)
        os.utime(cache._path(str(key)), ns=(key, key))
    assert sum(path.stat().st_size for path in (tmp_path / "c").iterdir()) <= 1000
    assert (cache.has("0"), cache.has("11")) == (False, True)
    assert cache.get_or_make("11", lambda: b"new") == b"x" * 100


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    (tmp_path / "file").write_text("")
    cache = FileCache(tmp_path / "file" / "c", max_bytes=1000)
    assert cache.get_or_make("a", lambda: b"made") == b"made"
    assert cache.get_or_make("a", lambda: b"again") == b"again"


def test_a_second_review_of_the_same_marks_is_refused(coco_dataset, cache):
    config = ReviewConfig(coco_dataset)
    said = "open in another wristseg review"
    with (
        open_review(config, None, cache=cache),
        pytest.raises(UsageError, match=said),
        open_review(config, None, cache=cache),
    ):
        pass
    with open_review(config, None, cache=cache):
        pass


def test_half_written_marks_of_a_killed_review_are_swept(coco_dataset, cache):
    with atomic_path(coco_dataset / "excluded.json") as alive:
        alive.write_text('{"marks": {}}')
    dead = alive.with_name(alive.name.replace(str(os.getpid()), "4194300"))
    own = dead.with_name(dead.name.replace("excluded", "other"))
    for path in (dead, own, alive):
        path.write_text("{")
    with open_review(ReviewConfig(coco_dataset), None, cache=cache):
        assert [path.exists() for path in (dead, own, alive)] == [False, True, True]


def test_marks_that_are_broken_stop_the_start(coco_dataset, cache):
    (coco_dataset / "excluded.json").write_text('{"marks": [')
    config = ReviewConfig(coco_dataset)
    with (
        pytest.raises(DataError, match=r"excluded\.json"),
        open_review(config, None, cache=cache),
    ):
        pass
