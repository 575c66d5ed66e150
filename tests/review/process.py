"""`wristseg review` as a process of its own, to be killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from urllib.parse import urlsplit

from tests.review.serving import Client
from wristseg.review.guard import Access

_URL = re.compile(r"^open (http://127\.0\.0\.1:(\d+)/open\?token=(\S+))$", re.M)


class ReviewProcess:
    """A running command and its page's address."""

    def __init__(self, dataset, cache, *options):
        command = [sys.executable, "-m", "wristseg", "review", str(dataset), "--no-open"]
        self.process = subprocess.Popen(
            [*command, *map(str, options)],
            env={**os.environ, "WRISTSEG_CACHE": str(cache), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        for line in self.process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        found = _URL.search(said)
        assert found is not None, said
        self.url, self.port, self.token = found[1], int(found[2]), found[3]

    def client(self):
        """A client that got its cookie the way a browser does."""
        plain = Client(self.port, Access(self.port))
        address = urlsplit(self.url)
        headers = {"Host": f"127.0.0.1:{self.port}"}
        answer = plain.send("GET", f"{address.path}?{address.query}", headers=headers)
        session = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
        return Client(self.port, Access(self.port, token=self.token, session=session))

    def end(self, number):
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        self.said = self.process.communicate(timeout=20)[0]
        return self.process.returncode


@contextlib.contextmanager
def review_process(dataset, cache, *options):
    """Yield a running command; kill it afterwards if it still runs."""
    running = ReviewProcess(dataset, cache, *options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)
