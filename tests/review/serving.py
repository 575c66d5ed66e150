"""A review server in a thread of the test, and a client that sends exactly what it is told to."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass, field

import numpy as np

from wristseg.classes import DEFAULT_CLASSES
from wristseg.configs import ReviewConfig
from wristseg.review.guard import Access
from wristseg.review.model import AwaitedModel, Model
from wristseg.review.server import make_server, open_review


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Client:
    """Sends requests as the page does, unless told otherwise."""

    port: int
    access: Access
    cookie: str | None = None
    more: dict = field(default_factory=dict)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def send(self, method, path, *, headers=None, body=None, timeout=20):
        """Send these headers and no others; a value of None leaves a header out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def page_headers(self, **changed):
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin",
            "Cookie": f"{self.access.cookie_name}={self.access.session}",
            "Content-Type": "application/json",
            "X-Wristseg-Review": "1",
        }
        return {**headers, **changed}

    def get(self, path, **headers):
        return self.send("GET", path, headers=self.page_headers(**headers))

    def post(self, path, value, **headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.send("POST", path, headers=self.page_headers(**headers), body=body)

    def marks(self):
        return self.get("/api/state").json["marks"]

    def mark(self, frame, *, version=None, **kinds):
        version = self.marks()["version"] if version is None else version
        changes = [{"frame": frame, kind: value} for kind, value in kinds.items()]
        return self.post("/api/marks", {"version": version, "changes": changes})


@contextlib.contextmanager
def serving(dataset, cache, *, model=None, scan=False):
    """Yield a client of a server on this data set; ``model`` is ready, or still to be awaited."""
    if isinstance(model, Model):
        model = awaited(model)
    config = ReviewConfig(dataset, no_open=True)
    with (
        open_review(config, model, cache=cache) as review,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        access = Access(listener.getsockname()[1])
        server = make_server(review, access)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            if model is not None:
                model.start(review.table.classes, server.stop_soon)
            if scan:
                review.scan.start()
            yield Client(access.port, access)
        finally:
            if model is not None:
                model.stop()
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def wait_until(is_true, *, seconds=10.0):
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def marks_on_disk(dataset):
    """The two files' marks; a file that is not there has none."""
    found = []
    for name in ("selections.json", "excluded.json"):
        path = dataset / name
        found.append(json.loads(path.read_text())["marks"] if path.exists() else {})
    return tuple(found)


def awaited(model, until=None):
    """A model that is there at once, or when the event ``until`` is set."""

    def load(stopped):
        while until is not None and not until.wait(0.01):
            if stopped.is_set():
                return None
        return model

    return AwaitedModel(model.name, load)


def plain_model(class_id=1):
    """A model that sees one class everywhere."""
    return Model(
        name="plain.ckpt",
        sha256=f"plain-{class_id}",
        classes=DEFAULT_CLASSES,
        predict_rgb=lambda frame: np.full(frame.shape[:2], class_id, np.uint8),
    )
