"""Draw the mask files again from the page: `wristseg masks` in a process of its own.

That command copies itself to use all cores, which a program with threads must not do. Called by
``review.app``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wristseg.dataset_paths import DatasetPaths

__all__ = ["Redraw", "RedrawState"]

#: Of what the command says, the page shows so much.
_SHOWN_CHARACTERS = 2000


@dataclass(frozen=True)
class RedrawState:
    """How far it is: ``none`` asked for yet, ``running``, ``done`` or ``failed``; and its words."""

    state: Literal["none", "running", "done", "failed"] = "none"
    text: str = ""


class Redraw:
    """One run of `wristseg masks` at a time.

    Args:
        paths: The data set; its masks go to ``<dataset>/masks``.
    """

    def __init__(self, paths: DatasetPaths) -> None:
        self._command = [sys.executable, "-m", "wristseg", *_arguments(paths)]
        self._task: asyncio.Task[None] | None = None
        self.state = RedrawState()

    def start(self) -> None:
        """Begin, unless it is running."""
        if self.state.state != "running":
            self.state = RedrawState("running")
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End a run; masks that it began have not appeared."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C on the terminal is for the server, which ends this
        )
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        text = said.decode(errors="replace").strip()[-_SHOWN_CHARACTERS:]
        self.state = RedrawState("done" if process.returncode == 0 else "failed", text)


def _arguments(paths: DatasetPaths) -> Sequence[str]:
    options = {
        "--dataset-path": paths.dataset_path,
        "--selections": paths.selections,
        "--excluded": paths.excluded,
        "--annotations": paths.annotations,
        "--images": paths.images,
    }
    given = [(name, str(path)) for name, path in options.items() if path is not None]
    return ["masks", *(part for pair in given for part in pair)]
