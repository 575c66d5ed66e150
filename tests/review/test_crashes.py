"""F24: two tabs write while the server is killed; what was answered is on disk, always whole."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time

import pytest

from tests.datasets import make_coco_dataset
from tests.review.process import review_process
from tests.review.serving import serving
from wristseg.data.marks import read_excluded, read_selections

_FRAMES = 40


class Tab(threading.Thread):
    """Marks the frames of one parity, and remembers what was answered and what was only asked."""

    def __init__(self, client, parity, writes, known, rng):
        super().__init__()
        self.client, self.parity, self.writes, self.known, self.rng = (
            client, parity, writes, known, rng,
        )  # fmt: skip
        self.saved = self.stale = 0
        self.open = None

    def run(self):
        try:
            version = self.client.marks()["version"]
            while self.writes > 0:
                frame = self.rng.randrange(self.parity, _FRAMES, 2)
                kind, value = self.rng.choice(["grasp", "excluded"]), self.rng.random() < 0.5
                self.open = (frame, kind, value)
                answer = self.client.mark(frame, version=version, **{kind: value})
                self.open = None
                if answer.status == 409:
                    self.stale += 1
                    version = answer.json["marks"]["version"]
                    continue
                assert answer.status == 200, answer
                version = answer.json["version"]
                self.known[frame, kind] = value
                self.saved += 1
                self.writes -= 1
        except (OSError, http.client.HTTPException):
            pass  # the server is gone


def _on_disk(dataset, stems):
    grasp = read_selections(dataset / "selections.json")
    excluded = read_excluded(dataset / "excluded.json")
    return {
        (frame, kind): stem in marked
        for frame, stem in enumerate(stems)
        for kind, marked in (("grasp", grasp), ("excluded", excluded))
    }


def _run_f24(tmp_path, *, writes, kills):
    stems = [f"r_frame_{i:04d}" for i in range(_FRAMES)]
    dataset = make_coco_dataset(tmp_path / "d", names=stems, size_hw=(8, 8))
    marks = json.loads((dataset / "selections.json").read_text())
    marks["viewer"] = {"zoom": 2}
    marks["marks"]["of_no_frame.jpg"] = "Held"
    (dataset / "selections.json").write_text(json.dumps(marks))
    rng = random.Random(24)
    known = _on_disk(dataset, stems)
    saved = stale = 0
    for round_ in range(kills):
        with review_process(dataset, tmp_path / "cache") as review:
            tabs = [
                Tab(review.client(), parity, writes // kills, known, random.Random(rng.random()))
                for parity in (0, 1)
            ]
            for tab in tabs:
                tab.start()
            goal = rng.randrange(1, max(2, writes // kills))
            while sum(tab.saved for tab in tabs) < goal:
                time.sleep(0.001)
            time.sleep(rng.random() * 0.02)
            assert review.end(signal.SIGKILL) == -signal.SIGKILL
            for tab in tabs:
                tab.join(20)
                saved, stale = saved + tab.saved, stale + tab.stale
        json.loads((dataset / "selections.json").read_text())
        found = _on_disk(dataset, stems)
        open_ = {tab.open[:2]: tab.open[2] for tab in tabs if tab.open is not None}
        lost = {
            key: (value, found[key])
            for key, value in known.items()
            if found[key] not in {value, open_.get(key, value)}
        }
        assert lost == {}, f"round {round_}"
        known = found
    with serving(dataset, tmp_path / "cache") as client:
        marks = client.marks()
        assert set(marks["grasp"]) == {f for f, kind in known if kind == "grasp" and known[f, kind]}
    value = json.loads((dataset / "selections.json").read_text())
    assert (value["viewer"], value["marks"]["of_no_frame.jpg"]) == ({"zoom": 2}, "Held")
    assert not list(dataset.glob(".*.tmp*")), "left by a killed server, swept by the next"
    print(f"F24: {saved} writes saved, {stale} stale, {kills} kills, 0 lost")
    return saved


def test_f24_no_answered_mark_is_lost_in_three_kills(tmp_path):
    assert _run_f24(tmp_path, writes=60, kills=3) >= 3


@pytest.mark.slow
@pytest.mark.tried(220)  # writes and kills
def test_f24_no_answered_mark_is_lost_in_200_writes_and_20_kills(tmp_path):
    assert _run_f24(tmp_path, writes=600, kills=20) >= 200


def test_f24_two_tabs_of_which_one_is_behind_lose_nothing(client):
    first, second = client.marks(), client.marks()
    assert client.mark(0, version=first["version"], grasp=True).status == 200
    refused = client.mark(2, version=second["version"], grasp=True)
    assert refused.status == 409
    assert 0 in refused.json["marks"]["grasp"]
    again = client.mark(2, version=refused.json["marks"]["version"], grasp=True)
    assert {0, 2} <= set(again.json["grasp"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_server_with_everything_saved(coco_dataset, tmp_path, number, code):
    with review_process(coco_dataset, tmp_path / "cache") as review:
        client = review.client()
        assert client.mark(0, excluded=True).status == 200
        assert review.end(number) == code
    assert read_excluded(coco_dataset / "excluded.json") == {"demo0_frame_0000"}


def test_f13_full_disk_is_said_and_leaves_the_marks(client, coco_dataset, monkeypatch):
    before = (coco_dataset / "selections.json").read_bytes()

    def full(*_args):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    answer = client.mark(0, grasp=True)
    assert answer.status == 507
    assert "No space left" in answer.json["error"]
    monkeypatch.undo()
    assert (coco_dataset / "selections.json").read_bytes() == before
    assert client.mark(0, grasp=True).status == 200
