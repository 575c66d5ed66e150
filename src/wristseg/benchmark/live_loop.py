"""Time `wristseg live` on a clip in real time: ages, deadlines, drops and memory.

In: a model and a clip, or a ``Run``. Out: ``LiveTiming``. The command runs in a process of its own,
as a user starts it. Called by ``benchmark.benchmark`` and by ``scripts/measure_live.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from wristseg.benchmark.process import ContestantError
from wristseg.benchmark.results import LiveTiming
from wristseg.benchmark.run import Run

__all__ = ["measure_live_loop", "measure_live_loops"]

#: Memory is compared from here on: what is loaded and made once is there by then.
_MEMORY_FROM_TICK = 1000
_HZ = 30.0

#: Seconds since the start, and MiB that the process held.
_Memory = list[tuple[float, float]]


def measure_live_loops(run: Run) -> None:
    """Play the clip to each model of a benchmark, nothing else running."""
    assert run.clip is not None
    for size in run.sizes:
        checkpoint, ticks = run.checkpoints[size], run.plan.live_ticks
        timing = measure_live_loop(checkpoint, run.clip, model=size, ticks=ticks, hz=_HZ)
        run.results.live_loops.append(timing)
        run.advance()


def measure_live_loop(
    checkpoint: Path,
    clip: Path,
    *,
    model: str,
    ticks: int,
    hz: float,
    options: tuple[str, ...] = (),
) -> LiveTiming:
    """Play a clip again and again to a model.

    Args:
        checkpoint: Model file.
        clip: The clip.
        model: What to call the model in tables.
        ticks: Ticks after the warm-up.
        hz: Rate of the loop, and at which the clip is played.
        options: Further options of the command.

    Raises:
        ContestantError: The command ended without a report, or before a tick was counted.
    """
    with tempfile.TemporaryDirectory(prefix="wristseg_live_") as folder:
        report = Path(folder) / "live.json"
        command = [
            *(sys.executable, "-m", "wristseg", "live", "--camera", str(clip), "--loop"),
            *("--checkpoint", str(checkpoint), "--fps", f"{hz:g}", "--frames", str(ticks)),
            *("--report", str(report), *options),
        ]
        memory, message = _watched(command)
        said = json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
    if said is None or said["figures"]["age_ms"]["p99"] is None:
        raise ContestantError(f"wristseg live, model {model}: {message or 'gave no mask'}")
    return _timing(said["figures"], memory, model=model, hz=hz, ended=message)


def _watched(command: list[str]) -> tuple[_Memory, str]:
    """Run a command; return its memory by the second, and what it said if it failed."""
    memory: _Memory = []
    began = time.monotonic()
    # Into a file: a pipe that nobody reads while the loop runs could fill up.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        while process.poll() is None:
            memory.append((time.monotonic() - began, _memory_mib(process.pid)))
            time.sleep(1.0)
        stderr.seek(0)
        message = stderr.read().strip()
    return memory, message if process.returncode != 0 else ""


def _memory_mib(pid: int) -> float:
    """Return the memory a process holds; 0 where it is over, or where there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _timing(
    figures: dict[str, Any], memory: _Memory, *, model: str, hz: float, ended: str
) -> LiveTiming:
    ages, latency = figures["age_ms"], figures["latency_ms"]
    return LiveTiming(
        model=model,
        hz=hz,
        ticks=figures["ticks"],
        ok=figures["statuses"]["ok"],
        age_ms={name: ages[name] for name in ("p50", "p95", "p99", "max")},
        infer_ms={name: latency["infer"][name] for name in ("p50", "p99")},
        total_p99_ms=latency["total"]["p99"],
        missed=figures["deadline_miss_share"],
        dropped=figures["drop_share"],
        memory_mib=_at_both_ends(figures, memory),
        ended=ended,
    )


def _at_both_ends(figures: dict[str, Any], memory: _Memory) -> tuple[float, float] | None:
    """Return memory after 1,000 ticks and at the end, MiB; None for shorter runs."""
    known = [(at, mib) for at, mib in memory if mib > 0]
    if figures["ticks"] <= _MEMORY_FROM_TICK or len(known) < 3:
        return None
    end = known[-1][0]
    from_s = end - figures["seconds"] * (1 - _MEMORY_FROM_TICK / figures["ticks"])
    # The last value may be of a process that is on its way out.
    return next(mib for at, mib in known if at >= from_s), known[-2][1]
