"""Hold the docs against the code: file map, links, and the options of every command.

``docs/cli.md`` is made from each command's ``--help``; with ``--write`` it is made anew. README's
file map must name every module once. Relative links in Markdown files must lead somewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import tyro

from wristseg.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
CLI_PAGE = ROOT / "docs" / "cli.md"
HEAD = "# Commands\n\nMade from `--help` by `just docs`; `just check` holds the two together.\n"


def main(*, write: bool = False) -> int:
    """Check the docs against the code; returns the exit code.

    Args:
        write: Make the generated pages anew before checking.
    """
    page = cli_page()
    if write:
        CLI_PAGE.write_text(page, encoding="utf-8")
    problems = [*file_map_problems(), *link_problems()]
    if not CLI_PAGE.exists() or CLI_PAGE.read_text(encoding="utf-8") != page:
        problems.append("docs/cli.md is not what --help says; run: just docs")
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


def cli_page() -> str:
    """Return docs/cli.md as it should be."""
    parts = [HEAD, _help_block([])]
    parts += [f"## wristseg {command}\n\n{_help_block([command])}" for command in COMMANDS]
    return "\n".join(parts)


def file_map_problems() -> list[str]:
    """Return where README's file map and the tracked modules differ."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, section = readme.partition("## File map")
    named = re.findall(r"^\s*(?:- |\| )`([\w/.\-]+\.py)`", section, re.MULTILINE)
    present = {
        str(path.relative_to(ROOT))
        for folder in ("src", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in {"__init__.py", "__main__.py"}
    }
    problems = [f"README's file map misses {name}" for name in sorted(present - set(named))]
    problems += [f"README's file map names {name}, not there" for name in set(named) - present]
    problems += [f"README's file map names {n} twice" for n in set(named) if named.count(n) > 1]
    return problems


def link_problems() -> list[str]:
    """Return the relative links of Markdown files that lead nowhere."""
    problems = []
    folders = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")]
    for page in folders:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                problems.append(f"{page.relative_to(ROOT)}: link to {target} leads nowhere")
    return problems


def _help_block(command: list[str]) -> str:
    plain = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "wristseg", *command, "--help"],
        env=plain,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
    return f"```text\n{lines}\n```\n"


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
