"""Measure `wristseg live` on a clip in real time: age, deadlines, drops and memory, per model.

The live section of `wristseg benchmark` with other models, clips and amounts, on an otherwise quiet
machine. The goals are for the first model: p99 of the age under two periods, deadlines missed under
1 %, memory at the end within 5 % of that after 1,000 ticks.

  python scripts/measure_live.py outputs/run_84/best.ckpt outputs/run_640/best.ckpt --ticks 10000
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tyro

from wristseg.benchmark.goals import live_goals
from wristseg.benchmark.live_loop import measure_live_loop
from wristseg.benchmark.page import live_lines
from wristseg.benchmark.process import ContestantError


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
    timings, failed = [], []
    for path in checkpoints:
        name = f"{path.parent.name}/{path.name}"
        try:
            timing = measure_live_loop(path, clip, model=name, ticks=ticks, hz=hz, options=options)
        except ContestantError as error:
            failed.append(str(error))
            continue
        timings.append(timing)
        failed += [timing.ended] if timing.ended else []
    print("\n".join(live_lines(timings)))
    missed = [goal for timing in timings[:1] for goal in live_goals(timing) if not goal.reached]
    failed += [f"goal missed: {goal.work}: {goal.value_text}, {goal.must_text}" for goal in missed]
    print("\n" + ("\n".join(failed) if failed else "goals of the first model: reached"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
