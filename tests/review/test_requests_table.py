"""F22: who may ask for what, as one table; and the rest of the fourteen checks' headers."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.review.serving import marks_on_disk
from wristseg.configs import ReviewConfig
from wristseg.errors import UsageError
from wristseg.review.guard import Access

_HOSTS = ("own", "foreign")
_ORIGINS = ("own", "foreign")
_SITES = ("same-origin", "cross-site")
_TOKENS = ("right", "none")
_KINDS = ("GET", "POST json", "POST form")
_CASES = list(itertools.product(_HOSTS, _ORIGINS, _SITES, _TOKENS, _KINDS))


def expected_status(host, origin, site, token, kind):
    """The rules in the order in which they are asked, written a second time."""
    if host == "foreign":
        return 403
    if kind != "GET" and (origin == "foreign" or site == "cross-site"):
        return 403
    if token == "none":
        return 403
    return 415 if kind == "POST form" else 200


def test_f22_table_has_48_cases_of_which_four_reads_and_one_change_pass():
    statuses = [expected_status(*case) for case in _CASES]
    assert len(_CASES) == 48
    assert (statuses.count(200), statuses.count(415), statuses.count(403)) == (5, 1, 42)


def wrong_cases(client, dataset):
    """Send all cases; returns those with another status, or that changed what they must not."""
    before = marks_on_disk(dataset)
    wrong = []
    for case in _CASES:
        host, origin, site, token, kind = case
        headers = client.page_headers(**{"Sec-Fetch-Site": site})
        if host == "foreign":
            headers["Host"] = f"evil.example:{client.port}"
        if origin == "foreign":
            headers["Origin"] = "http://evil.example"
        if token == "none":
            headers["Cookie"] = None
        if kind == "POST form":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        version = client.marks()["version"]
        body = json.dumps({"version": version, "changes": [{"frame": 0, "grasp": True}]}).encode()
        if kind == "GET":
            answer = client.send("GET", "/api/state", headers=headers)
        else:
            answer = client.send("POST", "/api/marks", headers=headers, body=body)
        expected = expected_status(*case)
        changed = marks_on_disk(dataset) != before
        if answer.status != expected or changed != (expected == 200 and kind == "POST json"):
            wrong.append(case)
        if changed:  # later cases start from the same marks
            assert client.post("/api/undo", {"version": answer.json["version"]}).status == 200
    return wrong


@pytest.mark.tried(len(_CASES))
def test_f22_every_case_has_its_exact_status_and_refusals_change_nothing(client, coco_dataset):
    assert wrong_cases(client, coco_dataset) == []


@pytest.mark.parametrize("check", ["_is_of_page", "_has_session"])
def test_f22_table_notices_a_check_that_is_left_out(client, coco_dataset, monkeypatch, check):
    monkeypatch.setattr(Access, check, lambda *_: True)
    assert wrong_cases(client, coco_dataset) != []


def test_f22_table_notices_hosts_that_are_not_checked(client, coco_dataset, monkeypatch):
    foreign = frozenset({f"evil.example:{client.port}", f"127.0.0.1:{client.port}"})
    monkeypatch.setattr(Access, "hosts", property(lambda _: foreign))
    assert wrong_cases(client, coco_dataset) != []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": None}, 400),  # HTTP/1.1 itself wants one
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 403),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "[::1]:{port}"}, 200),
        ({"Host": "LOCALHOST:{port}"}, 403),
        ({"Host": "0.0.0.0:{port}"}, 403),
    ],
)
def test_f22_host_is_exactly_one_of_three_names(client, headers, status):
    headers = {k: v and v.format(port=client.port) for k, v in headers.items()}
    assert client.get("/api/state", **headers).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": None}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Origin": "127.0.0.1:{port}"}, 403),
        ({"Origin": "http://localhost:{port}"}, 200),
        ({"X-Wristseg-Review": None}, 403),
        ({"X-Wristseg-Review": "2"}, 403),
        ({"Content-Type": None}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Cookie": "wristseg_review_{port}=wrong"}, 403),
        ({"Cookie": "other=1"}, 403),
        ({"Cookie": '"'}, 403),
    ],
)
def test_f22_changes_need_origin_site_header_type_and_session(
    client, coco_dataset, headers, status
):
    before = marks_on_disk(coco_dataset)
    headers = {k: v and v.format(port=client.port) for k, v in headers.items()}
    answer = client.post(
        "/api/marks", {"version": 1, "changes": [{"frame": 0, "grasp": True}]}, **headers
    )
    assert answer.status == status
    assert (marks_on_disk(coco_dataset) != before) == (status == 200)


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"])
def test_f22_other_methods_are_405_and_no_answer_allows_other_origins(client, method):
    answer = client.send(method, "/api/marks", headers=client.page_headers())
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_get_never_writes(client, coco_dataset, tmp_path):
    def files():
        return {
            path: path.read_bytes()
            for path in sorted(tmp_path.rglob("*"))
            if path.is_file() and "pictures" not in path.parts
        }

    before = files()
    paths = ["/", "/api/state", "/api/news?version=1&found=0", "/static/app.js"]
    paths += [f"/api/frames/0/{what}" for what in ("image", "thumbnail", "labels/grasp")]
    paths += ["/api/marks", "/api/undo", "/api/redo", "/api/looked", "/api/masks"]
    statuses = {path: client.get(path).status for path in paths}
    assert {path for path, status in statuses.items() if status != 200} == set(paths[-5:])
    assert {statuses[path] for path in paths[-5:]} == {405}
    assert files() == before


def test_token_in_the_address_becomes_a_cookie_that_scripts_cannot_read(client):
    headers = {"Host": f"127.0.0.1:{client.port}"}
    answer = client.send("GET", f"/open?token={client.access.token}", headers=headers)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.access.token.lower() not in cookie
    for query in ("", "?token=", "?token=wrong", f"?token={client.access.session}"):
        refused = client.send("GET", f"/open{query}", headers=headers)
        assert refused.status == 403
        assert "set-cookie" not in refused.headers


def test_the_address_given_to_the_browsers_command_line_opens_once(client):
    headers = {"Host": f"127.0.0.1:{client.port}"}
    path = client.access.url(client.access.token_for_once()).partition(str(client.port))[2]
    statuses = [client.send("GET", path, headers=headers).status for _ in range(2)]
    assert statuses == [303, 403]


def test_secrets_have_256_bits_and_differ_from_run_to_run():
    first, second = Access(1), Access(1)
    secrets = {first.token, first.session, second.token, second.session}
    assert len(secrets) == 4
    assert all(len(secret) >= 43 for secret in secrets)  # base64 of 32 bytes
    assert first.token not in repr(first)


@pytest.mark.parametrize("path", ["/", "/api/state", "/nowhere", "/static/app.js"])
def test_every_answer_says_what_the_browser_may_do(client, path):
    for headers in ({}, {"Cookie": None}):
        answer = client.get(path, **headers)
        policy = answer.headers["content-security-policy"]
        for part in (
            "default-src 'none'",
            "img-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ):
            assert part in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_other_addresses_need_allow_remote(coco_dataset):
    with pytest.raises(UsageError, match="--allow-remote"):
        ReviewConfig(coco_dataset, host="192.168.0.2")
    with pytest.raises(UsageError, match="one address"):
        ReviewConfig(coco_dataset, host="0.0.0.0", allow_remote=True)
    with pytest.raises(UsageError, match="IP address"):
        ReviewConfig(coco_dataset, host="myhost", allow_remote=True)
    assert ReviewConfig(coco_dataset, host="192.168.0.2", allow_remote=True).port == 0
