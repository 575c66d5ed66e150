"""`wristseg review`: what stops it before it serves anything, and with which exit code."""

from __future__ import annotations

import builtins
import contextlib
import http.client
import logging
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.review.process import review_process
from tests.review.serving import wait_until
from wristseg.benchmark.random_weights import write_random_checkpoint
from wristseg.cli.main import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WRISTSEG_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["nowhere"], 2, "nowhere: no such folder"),
        ([], 2, "Required options"),
        (["DATASET", "--port", "70000"], 2, "expected 0 to 65535"),
        (["DATASET", "--host", "0.0.0.0"], 2, "--allow-remote"),
        (["DATASET", "--checkpoint", "nowhere.ckpt"], 3, "nowhere.ckpt"),
        (["EMPTY"], 3, "no COCO export found"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(coco_dataset, tmp_path, capsys, options, code, said):
    (tmp_path / "empty").mkdir()
    places = {"DATASET": str(coco_dataset), "EMPTY": str(tmp_path / "empty")}
    try:
        found = main(["review", *(places.get(option, option) for option in options)])
    except SystemExit as error:
        found = error.code
    assert found == code
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(coco_dataset, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["review", str(coco_dataset), "--no-open", "--port", str(port)]) == 2
    assert "another --port" in capsys.readouterr().err


def test_a_missing_server_library_names_the_extra(coco_dataset, capsys, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in {"uvicorn", "starlette"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("wristseg.review")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["review", str(coco_dataset)]) == 2
    assert "wristseg[review]" in capsys.readouterr().err


def test_it_serves_on_the_loopback_alone_with_a_models_masks(coco_dataset, tmp_path):
    checkpoint = tmp_path / "best.ckpt"
    write_random_checkpoint(checkpoint, (84, 84))
    with review_process(coco_dataset, tmp_path / "cache", "--checkpoint", checkpoint) as review:
        client = review.client()
        assert client.get("/api/state").json["model"] == str(checkpoint)
        assert client.get("/api/frames/0/thumbnail").status == 200, "before the model is ready"
        wait_until(lambda: client.get("/api/frames/0/model").status == 200, seconds=250)
        listening = _listening(review.process.pid)
        assert listening == {f"127.0.0.1:{review.port}"}
        assert review.end(signal.SIGINT) == 130
        assert "interrupted" in review.said


def test_a_model_that_cannot_be_used_ends_it(coco_dataset, tmp_path, capsys):
    checkpoint = tmp_path / "best.onnx"
    checkpoint.write_bytes(b"no model")
    arguments = ["review", str(coco_dataset), "--no-open", "--checkpoint", str(checkpoint)]
    assert main(arguments) == 3
    assert f"{checkpoint}: " in capsys.readouterr().err


def test_the_server_leaves_the_logging_of_its_process_alone(coco_dataset, tmp_path):
    class Handler(logging.Handler):
        closed = False

        def close(self):
            self.closed = True

    handler = Handler()
    checkpoint = tmp_path / "best.onnx"
    checkpoint.write_bytes(b"no model")
    arguments = ["review", str(coco_dataset), "--no-open", "--checkpoint", str(checkpoint)]
    assert main(arguments) == 3
    assert not handler.closed


def test_interrupted_before_the_model_is_ready_it_leaves_no_process_behind(coco_dataset, tmp_path):
    checkpoint = tmp_path / "best.ckpt"
    write_random_checkpoint(checkpoint, (84, 84))
    with review_process(coco_dataset, tmp_path / "cache", "--checkpoint", checkpoint) as review:
        tasks = Path(f"/proc/{review.process.pid}/task")
        wait_until(lambda: any((task / "children").read_text() for task in tasks.iterdir()))
        children = " ".join((task / "children").read_text() for task in tasks.iterdir()).split()
        assert review.end(signal.SIGINT) == 130
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []


_SIGNAL_IN_A_FINALISER = """
import signal, sys
import uvicorn
from wristseg.cli.main import main
from wristseg.review import server

class Drops:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def call(*args, real={call}, **kwargs):
    Drops()
    return real(*args, **kwargs)

{call} = call
sys.exit(main(["review", sys.argv[1], "--no-open", "--port", "0"]))
"""


@pytest.mark.parametrize("call", ["server.make_server", "uvicorn.Server.run"])
def test_a_signal_whose_exception_python_drops_ends_it_before_the_server_runs(coco_dataset, call):
    command = [sys.executable, "-c", _SIGNAL_IN_A_FINALISER.format(call=call), str(coco_dataset)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "interrupted" in done.stderr) == (130, True), done.stderr


def test_the_printed_address_opens_the_page(coco_dataset, tmp_path):
    with review_process(coco_dataset, tmp_path / "cache") as review:
        connection = http.client.HTTPConnection("127.0.0.1", review.port, timeout=10)
        connection.request("GET", review.url.partition(str(review.port))[2])
        assert connection.getresponse().status == 303
        connection.close()


def _listening(process):
    """Addresses on which a process listens, from /proc."""
    sockets = set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            link = str(entry.readlink())
            if link.startswith("socket:["):
                sockets.add(link[8:-1])
    found = set()
    for name in ("tcp", "tcp6"):
        table = subprocess.run(
            ["cat", f"/proc/{process}/net/{name}"], capture_output=True, text=True, check=True
        ).stdout
        for line in table.splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                host, port = fields[1].split(":")
                octets = bytes.fromhex(host)[::-1]
                found.add(f"{'.'.join(map(str, octets))}:{int(port, 16)}")
    return found
