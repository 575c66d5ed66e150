"""Run the fault table and write docs/reliability.md: what was tried, what held, when, on what.

``just faults`` calls it. A test belongs to a row by the id in its name (``test_f12_...``); how many
trials it makes stands in its marker ``tried``, one where there is none. Given JUnit reports of
earlier runs, it makes the page from them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET  # of a report that is our own
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tyro

from wristseg.artifacts import git_commit, versions, write_text

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"

_ID = re.compile(r"test_?([fp]\d{1,2})(?![0-9])", re.IGNORECASE)

#: What can go wrong, how often it is tried at least, and what must hold.
ROWS = {
    "F01": ("COCO files of any wrong form", 60, "exit 3, all faults listed, no signal"),
    "F02": ("Run lengths that fit no mask", 12, "refused, no random pixels"),
    "F03": ("Polygons out of bounds, odd, flat, crossing", 12, "refused or warned about by rule"),
    "F04": ("File names that lead elsewhere, pipes, devices", 12, "refused, nothing read, no hang"),
    "F05": ("Labels for another image size", 4, "exit 3"),
    "F06": ("Rotation noted in EXIF, 1 to 8", 8, "image and mask aligned, IoU 1"),
    "F07": ("Images cut off at 20 places, JPEG and PNG", 40, "refused, or all pixels right"),
    "F08": ("Decompression bombs, unusual formats", 9, "refused or converted, under 200 MB"),
    "F09": ("Masks with wrong ids, size, channels, format", 6, "exit 3"),
    "F10": ("Videos empty, cut, with holes, of two sizes", 10, "exit 3, or 4 with the counts"),
    "F11": ("A frame on both sides, empty sides, a class untrained", 4, "exit 3"),
    "F12": ("SIGKILL while a checkpoint is saved", 100, "0 damaged, all can be resumed"),
    "F13": ("Disk full at several points", 5, "old file intact, a clear message, no leftovers"),
    "F14": ("A flipped bit in checkpoints, weights, exports", 100, "every one found"),
    "F15": ("Checkpoints cut off", 10, "exit 3, or the previous one with a warning"),
    "F16": ("Training stopped and resumed", 5, "the weights of an uninterrupted run, bit by bit"),
    "F17": ("SIGTERM, SIGINT, two signals", 20, "143 or 130, at most an epoch lost"),
    "F18": ("Loss, weights or input not finite", 6, "stops, nothing of it is saved"),
    "F19": ("Memory too small for a batch", 4, "halved, the same step; or a clear end"),
    "F20": ("Hostile checkpoints and YAML", 10, "nothing runs, exit 3"),
    "F21": ("ONNX with numbers in other files", 6, "refused"),
    "F22": (
        "Requests to the review page: who may ask what",
        48,
        "exact status, refusals change nothing",
    ),
    "F23": (
        "Requests with hostile paths, bodies, names",
        20,
        "4xx, the server lives, no script runs",
    ),
    "F24": ("Two tabs, 200 writes, 20 kills", 220, "no answered mark is lost"),
    "F25": ("Cameras that freeze, hang, vanish, go black", 10, "told in two periods, never blocks"),
    "F26": ("10,000 ticks, the model slower than the camera", 1, "queue, age and memory bounded"),
    "F27": ("200 videos, 5 bad, workers and drivers killed", 1, "195 done, the same bytes"),
    "F28": ("The same under Ray", 2, "the same result, no hang"),
    "F29": ("Training on one and two processes, one killed", 2, "equal weights, an end in time"),
    "F30": ("The same seed three times", 3, "the same weights"),
    "F31": ("Fifty images in three runtimes", 50, "at least 99.9 % equal labels"),
    "F32": (
        "Folders read-only, missing, odd names, two jobs",
        10,
        "a clear error or a right result",
    ),
    "P1": ("Random polygons and run lengths, beside pycocotools", 10_000, "bit-equal"),
    "P2": ("Mutated COCO files in a child", 5_000, "exit 0 or 3, no signal"),
    "P3": ("Run lengths there and back", 10_000, "identity"),
    "P4": ("Mean IoU beside ten lines of NumPy", 5_000, "within 1e-12"),
    "P5": ("Augmentation of image and mask", 3_000, "aligned"),
    "P6": ("Results committed under random kills", 500, "0 damaged"),
    "P7": ("Random walks on the review page's marks", 2_000, "the disk equals the model"),
}

_HOLDS, _HOLDS_SO_FAR = "holds", "holds, **fewer than asked**"


@dataclass
class Outcome:
    """What a run did about one row."""

    tests: int = 0
    tried: int = 0
    held: int = 0
    skipped: int = 0

    def add(self, tried: int, result: str) -> None:
        """Add one test that passed, failed or was skipped."""
        if result == "skipped":
            self.skipped += 1
            return
        self.tests += 1
        self.tried += tried
        self.held += tried if result == "passed" else 0


def run_tests(report: Path, *, quick: bool) -> None:
    """Run all tests of the table; failures are for the page to tell."""
    names = " or ".join(f"test_{row}_ or Test{row}" for row in ROWS)
    command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "", "-k", names]
    environment = {**os.environ, "WRISTSEG_FAULTS": "" if quick else "full"}
    subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, env=environment, check=False)


def read_reports(reports: Sequence[Path]) -> dict[str, Outcome]:
    """Return the outcome of each row by its id."""
    outcomes: dict[str, Outcome] = {row: Outcome() for row in ROWS}
    cases = (case for report in reports for case in ET.parse(report).iter("testcase"))  # noqa: S314
    for case in cases:
        found = _ID.search(f"{case.get('classname', '').rpartition('.')[2]} {case.get('name', '')}")
        if found is None or found[1].upper() not in outcomes:
            continue
        tried = 1
        for item in case.iter("property"):
            if item.get("name") == "tried":
                tried = int(item.get("value", "1"))
        kinds = {child.tag for child in case}
        failed = bool(kinds & {"failure", "error"})
        result = "failed" if failed else "skipped" if "skipped" in kinds else "passed"
        outcomes[found[1].upper()].add(tried, result)
    return outcomes


def page(outcomes: dict[str, Outcome], *, commit: str | None, day: str) -> str:
    """Return docs/reliability.md."""
    lines = [
        "# What holds when things go wrong",
        "",
        "Written by `just faults`, which tries all of it; not by hand. A row's tests have its id",
        "in their names (`test_f12_...`). *Tried* counts trials: a kill, a damaged file, a",
        "request, a random example. *Asked* is the least number that the row wants.",
        "",
        f"{day}, commit `{commit or 'none'}`, {_machine()}.",
        "",
        "| row | what goes wrong | must hold | asked | tried | held | |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    for row, (fault, asked, must) in ROWS.items():
        done = outcomes[row]
        lines.append(
            f"| {row} | {fault} | {must} | {asked:,} | {done.tried:,} | {done.held:,} | "
            f"{_verdict(done, asked)} |"
        )
    return "\n".join(lines) + "\n"


def _verdict(done: Outcome, asked: int) -> str:
    if done.tests == 0:
        return "**not tried**"
    if done.held < done.tried:
        return "**failed**"
    return _HOLDS if done.tried >= asked else _HOLDS_SO_FAR


def _machine() -> str:
    named = ("python", "torch", "lightning", "numpy", "pillow")
    found = versions()
    return ", ".join(f"{name} {found[name]}" for name in named if name in found)


def main(
    reports: tyro.conf.Positional[tuple[Path, ...]] = (),
    *,
    output: Path = PAGE,
    quick: bool = False,
) -> int:
    """Run the fault table and write docs/reliability.md.

    Args:
        reports: JUnit reports of earlier runs, instead of running the tests.
        output: The page to write.
        quick: The counts of every change instead of the full ones.
    """
    with tempfile.TemporaryDirectory() as folder:
        if not reports:
            reports = (Path(folder) / "report.xml",)
            run_tests(reports[0], quick=quick)
        outcomes = read_reports(reports)
        latest = max(report.stat().st_mtime for report in reports)
        day = datetime.fromtimestamp(latest, UTC).date().isoformat()
    write_text(output, page(outcomes, commit=git_commit(ROOT), day=day))
    verdicts = {row: _verdict(done, ROWS[row][1]) for row, done in outcomes.items()}
    # The counts of every change are smaller than those that the table asks for.
    enough = (_HOLDS, _HOLDS_SO_FAR) if quick else (_HOLDS,)
    bad = [f"{row} ({said})" for row, said in verdicts.items() if said not in enough]
    said = f"; not {', '.join(bad)}" if bad else ""
    print(f"{output}: {len(verdicts) - len(bad)} of {len(verdicts)} rows hold{said}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
