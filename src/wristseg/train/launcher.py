"""Starts a training's other processes on this machine, and notices when one of them ends early.

Lightning's own launcher kills the first process where another has ended, without a word. Used by
``train.processes``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

__all__ = ["WatchingLauncher"]

#: Time that a process gets to end by itself once another has gone, seconds. On CPUs it notices at
#: once; on GPUs it may wait in a kernel that never ends.
_GRACE_S = 20.0

_LOOK_EVERY_S = 0.5


class WatchingLauncher(_SubprocessScriptLauncher):
    """Lightning's launcher of processes by ``sys.argv``, with a watch that says what happened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._children: list[subprocess.Popen[bytes]] = []
        self._done = threading.Event()

    def first_failure(self) -> str | None:
        """Return what became of the first child that failed; None where none has."""
        deadline = time.monotonic() + 2 * _LOOK_EVERY_S
        while self._children and time.monotonic() < deadline:
            for number, child in enumerate(self._children, start=1):
                if child.poll():
                    return f"process {number} (pid {child.pid}) {_ending(child.returncode)}"
            time.sleep(0.05)
        return None

    def end_children(self) -> None:
        """End the children: by SIGTERM, and by SIGKILL those that do not react."""
        self._done.set()
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for child in self._children:
                if child.poll() is None:
                    child.send_signal(signum)
            deadline = time.monotonic() + 5.0
            while time.monotonic() < deadline and any(c.poll() is None for c in self._children):
                time.sleep(0.05)

    def forget_children(self) -> None:
        """Let the children end by themselves, as they do after a training."""
        self._done.set()

    def kill(self, signum: Any) -> None:
        """Send a signal to the children."""
        self._done.set()
        for child in self._children:
            child.send_signal(signum)

    def _call_children_scripts(self) -> None:
        super()._call_children_scripts()
        # Lightning's observer looks after an empty list, and ends.
        self._children, self.procs = self.procs, []
        threading.Thread(target=self._watch, name="watch-processes", daemon=True).start()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_EVERY_S):
            if any(child.poll() for child in self._children):
                break
        if self._done.wait(_GRACE_S):
            return
        print(f"wristseg train: {self.first_failure()}; the training ends", file=sys.stderr)
        for child in self._children:
            if child.poll() is None:
                child.kill()
        sys.stderr.flush()
        os._exit(3)  # the main thread waits in a library for a process that is gone


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}; its message stands above"
