"""Copies of this process train and get signals; run by ``test_kills``.

Reads one JSON list from stdin per trial: arguments of ``wristseg train``, then what to send, as
``[[signal, seconds after the one before], ...]``, and the file whose appearance starts the clock.
Prints one JSON object per trial: exit code (negative: ended by a signal) and what was said.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch  # noqa: F401 - loaded once, before the copies are made

from wristseg.cli.main import main as command
from wristseg.train.fit import train  # noqa: F401


def _child(arguments: list[str], said: Path) -> None:
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["wristseg", "train", *arguments]
    sys.exit(command())


def trial(arguments: list[str], signals: list[list[float]], wait_for: str, said: Path) -> Any:
    """Run one training; returns its code and its words."""
    child = os.fork()
    if child == 0:
        _child(
            arguments, said
        )  # SystemExit unwinds to the end of this program, as a command's does
    deadline = time.monotonic() + 240
    ended = 0
    while not ended and wait_for and not Path(wait_for).exists() and time.monotonic() < deadline:
        ended = os.waitpid(child, os.WNOHANG)[0]
        time.sleep(0.005)
    for number, delay in signals if not ended else []:
        time.sleep(delay)
        os.kill(child, int(number))
    _, status = (ended, 0) if ended else os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "said": said.read_text(errors="replace")}


if __name__ == "__main__":
    for line in sys.stdin:
        given = json.loads(line)
        answer = trial(given["arguments"], given["signals"], given["wait_for"], Path(given["said"]))
        print(json.dumps(answer), flush=True)
