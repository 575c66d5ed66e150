"""F23: paths that lead out, large and slow bodies, bad JSON, names with markup; and connections."""

from __future__ import annotations

import json
import os
import re
import socket
import time

import pytest

from tests.datasets import make_coco_dataset
from tests.review.serving import marks_on_disk, serving, wait_until
from wristseg.review import connections, requests

_TRAVERSALS = [
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/%2e%2e/app.py",
    "/static/..%5c..%5capp.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/../../../../etc/passwd",
    "/api/frames/../../state",
    "/api/frames/-1/image",
    "/api/frames/6/image",
    "/api/frames/99999999999999999999/image",
    "/api/frames/0x1/image",
    "/api/frames/0/labels/..%2f..%2fselections.json",
    "/api/frames/0/labels/none",
    "/api/frames/0/thumbnail?labels=../grasp",
    "/api/news?version=-1&found=0",
    "/api/news?version=1&found=1e9",
    "/static/index.html%00.js",
]


@pytest.mark.parametrize("path", _TRAVERSALS)
def test_f23_paths_that_lead_elsewhere_are_4xx_and_the_server_lives(client, path):
    answer = client.get(path)
    assert 400 <= answer.status < 500
    assert b"root:" not in answer.body
    assert client.get("/api/state").status == 200


def _nested(depth):
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (_nested(100_000), 400),
        (b'{"version": NaN, "changes": []}', 400),
        (b'{"version": 1}', 400),
        (b'{"version": 1, "changes": [], "path": "/etc/passwd"}', 400),
        (b'{"version": "1", "changes": []}', 400),
        (b'{"version": true, "changes": []}', 400),
        (b'{"version": 1.0, "changes": []}', 400),
        (b'{"version": 1, "changes": {}}', 400),
        (b'{"version": 1, "changes": [{"frame": 0}]}', 400),
        (b'{"version": 1, "changes": [{"frame": 0, "grasp": 1}]}', 400),
        (b'{"version": 1, "changes": [{"frame": true, "grasp": true}]}', 400),
        (b'{"version": 1, "changes": [{"frame": "0", "grasp": true}]}', 400),
        (b'{"version": 1, "changes": [{"frame": 6, "grasp": true}]}', 400),
        (b'{"version": 1, "changes": [{"frame": -1, "grasp": true}]}', 400),
        (b'{"version": 1, "changes": [{"frame": 0, "grasp": true, "excluded": true}]}', 400),
        (b'{"version": 1, "changes": [{"frame": 0, "label": "x"}]}', 400),
        (b'{"version": 1, "changes": [[0, "grasp"]]}', 400),
        (b" " * 1_000_001, 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_f23_bodies_of_another_form_change_nothing(client, coco_dataset, body, status):
    before = marks_on_disk(coco_dataset)
    assert client.post("/api/marks", body).status == status
    assert marks_on_disk(coco_dataset) == before
    assert client.get("/api/state").status == 200


def test_f23_a_body_that_hides_its_size_is_cut_off(client):
    with _connected(client) as sent:
        sent.sendall(_head(client, "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(20):
            try:
                sent.sendall(chunk)
            except OSError:
                break
        assert _received(sent).startswith(b"HTTP/1.1 413")
    assert client.get("/api/state").status == 200


def test_f23_a_slow_body_is_408(client, monkeypatch):
    monkeypatch.setattr(requests, "BODY_S", 0.3)
    with _connected(client) as sent:
        sent.sendall(_head(client, "Content-Length: 100") + b"{")
        started = time.monotonic()
        assert _received(sent).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < 5
    assert client.get("/api/state").status == 200


def test_f23_a_head_that_never_ends_loses_its_connection(client, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_S", 0.3)
    with _connected(client) as sent:
        for byte in b"GET / HTTP/1.1\r\nX: y":
            try:
                sent.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        assert _received(sent) == b""
    assert client.get("/api/state").status == 200


def test_f23_a_client_that_reads_nothing_loses_its_connection(client, monkeypatch):
    monkeypatch.setattr(connections, "ANSWER_S", 0.3)
    asked = 2000
    with _connected(client) as sent:
        for _ in range(asked):
            try:
                sent.sendall(_head(client, path="/static/app.js", method="GET"))
            except OSError:
                break
        time.sleep(1)
        assert _received(sent).count(b"HTTP/1.1 200") < asked
    assert client.get("/api/state").status == 200


def test_nine_busy_connections_are_one_too_many_but_idle_ones_make_room(client):
    assert connections.MAX_CONNECTIONS == 8
    idle = [_connected(client) for _ in range(12)]
    assert client.get("/api/state").status == 200
    busy = [_connected(client) for _ in range(8)]
    for sent in busy:
        sent.sendall(_head(client, "Content-Length: 100") + b"{")
    time.sleep(0.3)
    with pytest.raises((OSError, AssertionError)):
        assert client.get("/api/state").status == 200
    for sent in (*idle, *busy):
        sent.close()
    wait_until(lambda: _answers(client))


def test_f23_names_with_markup_reach_the_page_as_text_alone(tmp_path, cache):
    name = "<script>alert(1)<script>&\"'_frame_1"
    dataset = make_coco_dataset(tmp_path / "d", frames=1, names=[name], grasp=())
    with serving(dataset, cache) as client:
        page = client.get("/")
        assert b"alert(1)" not in page.body
        assert b"<script>" not in page.body.replace(b"<script type", b"")
        state = client.get("/api/state")
        assert state.headers["content-type"] == "application/json"
        assert state.json["frames"][0]["name"] == f"{name}.jpg"
        assert client.mark(0, grasp=True).status == 200
    assert list(marks_on_disk(dataset)[0]) == [f"{name}.jpg"]


def test_page_has_nothing_inline_and_writes_names_as_text_only():
    from wristseg.review.app import _STATIC

    page = (_STATIC / "index.html").read_text()
    assert " style=" not in page
    assert "<style" not in page
    assert not re.search(r"\son[a-z]+=", page)
    for script in _STATIC.glob("*.js"):
        text = script.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, (script.name, word)
        assert "http" not in text


def test_an_image_that_became_a_link_out_of_the_folder_is_not_served(tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", frames=2)
    other = make_coco_dataset(tmp_path / "other", frames=1, grasp=())
    with serving(dataset, cache) as client:
        image = next((dataset / "images/default").glob("*.jpg"))
        number = [f["name"] for f in client.get("/api/state").json["frames"]].index(image.name)
        assert client.get(f"/api/frames/{number}/image").status == 200
        image.unlink()
        image.symlink_to(next((other / "images/default").glob("*.jpg")))
        answer = client.get(f"/api/frames/{number}/image")
        assert answer.status == 422
        assert "out of the image folder" in answer.json["error"]
        assert client.get(f"/api/frames/{number}/thumbnail").status == 422
        image.unlink()
        os.mkfifo(image)
        assert client.get(f"/api/frames/{number}/image").status == 422


def _answers(client):
    try:
        return client.get("/api/state").status == 200
    except OSError:
        return False


def _connected(client):
    return socket.create_connection(("127.0.0.1", client.port), timeout=10)


def _head(client, *more, path="/api/marks", method="POST"):
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in client.page_headers().items()]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def _received(sent):
    content = b""
    try:
        while block := sent.recv(65536):
            content += block
    except OSError:
        pass
    return content


def test_json_of_the_page_is_what_the_rules_allow():
    assert len(json.dumps([{"frame": 9999, "excluded": False}] * 10_000)) < requests.MAX_BODY_BYTES
