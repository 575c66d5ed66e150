"""Pin every dependency by version and hash in constraints.txt, or check that file.

uv's own lock names download addresses, so it stays out of the repository; this file holds names,
versions, markers and SHA-256 hashes alone. What it pins follows from pyproject.toml and its
``exclude-newer`` date, and ``--check`` says whether it still does. Releases younger than a week are
not pinned: most malicious ones are found and taken down within days.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tyro

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
COOL_DOWN = timedelta(days=7)
EXPORT = ("uv", "export", "--quiet", "--all-groups", "--all-extras", "--no-emit-workspace")
FORMAT = ("--no-header", "--no-annotate", "--format", "requirements-txt")


def newest_release() -> datetime:
    """Return the time from which on releases are left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return datetime.fromisoformat(project["tool"]["uv"]["exclude-newer"])


def main(*, check: bool = False) -> int:
    """Pin every dependency by version and hash in constraints.txt.

    Args:
        check: Write nothing; exit 1 if the file differs.
    """
    latest = datetime.now(UTC) - COOL_DOWN
    if not check and newest_release() > latest:
        print(
            f"pyproject.toml: exclude-newer is {newest_release().date()}, which lets in releases "
            f"of the last {COOL_DOWN.days} days; expected at most {latest.date()}",
            file=sys.stderr,
        )
        return 1
    pinned = subprocess.run(
        [*EXPORT, *FORMAT], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    if not check:
        CONSTRAINTS.write_text(pinned, encoding="utf-8")
        return 0
    known = CONSTRAINTS.read_text(encoding="utf-8")
    changed = sorted(set(pinned.splitlines()) ^ set(known.splitlines()))
    if changed:
        print("constraints.txt differs from what resolves; run: just constraints", file=sys.stderr)
        print("\n".join(f"  {line}" for line in changed[:20]), file=sys.stderr)
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
