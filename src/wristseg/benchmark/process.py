"""The stage's end of a contestant's process: start it, send commands, read answers, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wristseg.errors import WristsegError

__all__ = ["ContestantError", "ContestantProcess", "run_timed"]

#: A contestant that says nothing for this long hangs; the slowest command draws some 200 frames.
_TIMEOUT_S = 900.0
_LOG_LINES = 5


class ContestantError(WristsegError):
    """A contestant failed, or ended without an answer; its log says more."""


class ContestantProcess:
    """A process of ``benchmark.worker``, to be used in a ``with`` statement.

    Args:
        name: The contestant, for example ``wristseg/onnxruntime``.
        log: File that takes its stderr.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as stderr:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wristseg.benchmark.worker", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                env=_environment(),
            )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and return its answer.

        Raises:
            ContestantError: The command failed, or the process died or hung.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(_TIMEOUT_S, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            raise ContestantError(f"{self.name}: ended during {do!r}: {_tail(self._log)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContestantError(f"{self.name}: {do} failed: {answer['error']}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.kill()
        # Its pipes are closed, at which it ends; one that died may have left a command unread.
        with contextlib.suppress(BrokenPipeError), self._process:
            pass
        self._process.wait()


def run_timed(command: list[str], log: Path) -> float:
    """Run a command to its end and return its seconds.

    Raises:
        ContestantError: It did not end with 0.
    """
    with log.open("ab") as output:
        started = time.perf_counter()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            env=_environment(),
        )
        seconds = time.perf_counter() - started
    if done.returncode != 0:
        shown = " ".join(Path(part).name for part in command[1:4])
        raise ContestantError(f"{shown} ended with {done.returncode}: {_tail(log)}")
    return seconds


def _environment() -> dict[str, str]:
    """Return the environment, in which Python keeps its compiled modules as it does by default.

    Without them each start compiles all of torch, timm and Lightning anew, twice as long. A
    runtime that is set for the whole shell would be that of every contestant.
    """
    left_out = {"PYTHONDONTWRITEBYTECODE", "WRISTSEG_RUNTIME"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-_LOG_LINES:]) or "it said nothing"
