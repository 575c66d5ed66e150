"""Shows on stderr how far a bulk labelling is: a bar on a terminal, else a line of JSON at times.

Counts start with what earlier runs have made, so they go on after a restart; the remaining time is
that of the inputs which this run had to work on. Called by ``batch.label``.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from wristseg.batch.job import Outcome

__all__ = ["BatchProgress"]

#: Seconds between two lines of JSON, and between two changes of the bar.
_LINE_S, _BAR_S = 5.0, 0.2


class BatchProgress:
    """Counts outcomes and frames, and shows them; used in a ``with`` block.

    Args:
        total: Number of inputs.
        workers: How many are worked on at a time; None where that is not known.
    """

    def __init__(self, total: int, *, workers: int | None) -> None:
        self._total = total
        self._workers = workers
        self._statuses: Counter[str] = Counter()
        self._kept = 0
        self._frames = 0
        self._started = self._shown = time.monotonic()
        console = Console(stderr=True)
        self._progress: Progress | None = None
        if console.is_terminal:
            columns = (
                TextColumn("labelling"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}"),
            )
            self._progress = Progress(*columns, console=console, transient=True)
            self._task = self._progress.add_task("", total=total, said="")

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def add_frames(self, count: int) -> None:
        """Count frames of inputs that are being worked on."""
        self._frames += count
        self._show()

    def add(self, outcome: Outcome) -> None:
        """Count an input."""
        self._statuses[outcome.status] += 1
        self._kept += outcome.kept
        self._show()

    def facts(self) -> dict[str, Any]:
        """Return what is known now."""
        counted = sum(self._statuses.values())
        passed_s = max(1e-3, time.monotonic() - self._started)
        left = self._total - counted
        worked = counted - self._kept
        eta_s = None if worked == 0 else left * passed_s / worked
        return {
            "inputs": self._total,
            "done": self._statuses["done"],
            "partial": self._statuses["partial"],
            "quarantined": self._statuses["quarantined"],
            "running": None if self._workers is None else min(self._workers, left),
            "kept": self._kept,
            "frames": self._frames,
            "frames_per_s": round(self._frames / passed_s, 1),
            "eta_s": None if eta_s is None else round(eta_s),
        }

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown < (_LINE_S if self._progress is None else _BAR_S):
            return
        self._shown = now
        facts = self.facts()
        if self._progress is None:
            print(json.dumps(facts), file=sys.stderr, flush=True)
            return
        said = f"{facts['frames_per_s']} frames/s"
        if facts["eta_s"] is not None:
            said += f", {_clock(facts['eta_s'])} left"
        if facts["quarantined"]:
            said += f", {facts['quarantined']} in quarantine"
        counted = facts["done"] + facts["partial"] + facts["quarantined"]
        self._progress.update(self._task, completed=counted, said=said)


def _clock(seconds: int) -> str:
    """Return hours, minutes and seconds.

    >>> _clock(3725)
    '1:02:05'
    """
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
