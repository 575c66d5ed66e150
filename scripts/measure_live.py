"""Measure `wristseg live` on a clip in real time: age, deadlines, drops and memory, per model.

Runs the command in a process of its own for each model, as a user would, on an otherwise quiet
machine, and holds its report against the goals: p99 of the age under two periods, deadlines missed
under 1 %, memory at the end within 5 % of that after 1,000 ticks.

  python scripts/measure_live.py outputs/run_84/best.ckpt outputs/run_640/best.ckpt --ticks 10000
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

_MEMORY_FROM_TICK = 1000
_MOST_GROWTH = 1.05

_COLUMNS = (
    "model", "age p50", "p95", "p99", "max", "infer p50", "p99", "total p99", "deadlines missed",
    "dropped", "ok", "memory after 1,000 ticks, at the end",
)  # fmt: skip


@dataclass
class _Run:
    """One process: its report, and its memory by the second."""

    report: dict[str, Any] = field(default_factory=dict)
    memory_mib: list[tuple[float, float]] = field(default_factory=list)
    exit_code: int = 0
    message: str = ""


def main(
    checkpoints: tuple[Path, ...],
    /,
    *,
    clip: Path = Path("data/clips/grasp.mp4"),
    ticks: int = 2000,
    hz: float = 30.0,
    options: tuple[str, ...] = (),
) -> int:
    """Print a table in milliseconds; exit code 1 if a goal is missed or a run ends early.

    Args:
        checkpoints: Model files; the goals are for the first.
        clip: Video that is played again and again.
        ticks: Ticks after the warm-up.
        hz: Rate of the loop, and at which the clip is played.
        options: Further options of ``wristseg live``.
    """
    print(f"{clip}, played at {hz:g} Hz, load before: {os.getloadavg()[0]:.2f}\n")
    print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}")
    runs = []
    for checkpoint in checkpoints:
        run = _run(checkpoint, clip, ticks, hz, options)
        runs.append(run)
        print(_row(checkpoint, run, hz), flush=True)
    failed = [run.message for run in runs if run.exit_code != 0]
    failed += _missed_goals(runs[0]) if runs and runs[0].report else []
    print("\n" + ("\n".join(failed) if failed else "goals of the first model: reached"))
    return 1 if failed else 0


def _run(checkpoint: Path, clip: Path, ticks: int, hz: float, options: tuple[str, ...]) -> _Run:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "live.json"
        command = [
            *(sys.executable, "-m", "wristseg", "live", "--camera", str(clip), "--loop"),
            *("--checkpoint", str(checkpoint), "--fps", f"{hz:g}", "--frames", str(ticks)),
            *("--report", str(report), *options),
        ]
        run = _Run()
        began = time.monotonic()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None:
                run.memory_mib.append((time.monotonic() - began, _memory_mib(process.pid)))
                time.sleep(1.0)
            assert process.stderr is not None
            run.exit_code, run.message = process.returncode, process.stderr.read().strip()
        if report.exists():
            run.report = json.loads(report.read_text(encoding="utf-8"))
    return run


def _memory_mib(pid: int) -> float:
    """Return the memory a process holds; 0 where it is over, or where there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _memory(run: _Run) -> tuple[float, float] | None:
    """Return memory after 1,000 ticks and at the end, MiB; None for shorter runs."""
    known = [(at, mib) for at, mib in run.memory_mib if mib > 0]
    figures = run.report["figures"]
    if figures["ticks"] <= _MEMORY_FROM_TICK or len(known) < 3:
        return None
    end = known[-1][0]
    from_s = end - figures["seconds"] * (1 - _MEMORY_FROM_TICK / figures["ticks"])
    return next(mib for at, mib in known if at >= from_s), known[-2][1]


def _row(checkpoint: Path, run: _Run, hz: float) -> str:
    name = f"{checkpoint.parent.name}/{checkpoint.name}"
    if not run.report:
        return f"| {name} | exit code {run.exit_code}: {run.message} |"
    figures = run.report["figures"]
    age, latency = figures["age_ms"], figures["latency_ms"]
    numbers = [age[key] for key in ("p50", "p95", "p99", "max")]
    numbers += [latency["infer"]["p50"], latency["infer"]["p99"], latency["total"]["p99"]]
    memory = _memory(run)
    held = "-" if memory is None else f"{memory[0]:.0f}, {memory[1]:.0f} MiB"
    ok = figures["statuses"]["ok"]
    shown = " | ".join("-" if number is None else f"{number:.1f}" for number in numbers)
    return (
        f"| {name} | {shown} | {figures['deadline_miss_share']:.2%} of {1000 / hz:.1f} ms "
        f"| {figures['drop_share']:.2%} | {ok} of {figures['ticks']} | {held} |"
    )


def _missed_goals(run: _Run) -> list[str]:
    figures = run.report["figures"]
    missed = []
    limit_ms = 2 * figures["period_ms"]
    if figures["age_ms"]["p99"] is None or figures["age_ms"]["p99"] >= limit_ms:
        missed.append(f"goal missed: age p99 {figures['age_ms']['p99']} ms, below {limit_ms:.1f}")
    if figures["deadline_miss_share"] >= 0.01:
        missed.append(f"goal missed: {figures['deadline_miss_share']:.2%} of deadlines, below 1 %")
    memory = _memory(run)
    if memory is not None and memory[1] > _MOST_GROWTH * memory[0]:
        missed.append(f"goal missed: memory grew from {memory[0]:.0f} to {memory[1]:.0f} MiB")
    return missed


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
