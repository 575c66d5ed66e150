"""Hold the docs against the code: file map, links, and the options of every command.

``docs/cli.md`` is made from each command's ``--help``, README's file map from the first sentence of
each module; with ``--write`` both are made anew. Relative links in Markdown files must lead
somewhere.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import tyro

from wristseg.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
CLI_PAGE = ROOT / "docs" / "cli.md"
README = ROOT / "README.md"
MAP_HEAD = "## File map"
MAP_NOTE = "Made from the modules' own first lines by `just docs`."
HEAD = "# Commands\n\nMade from `--help` by `just docs`; `just check` holds the two together.\n"


def main(*, write: bool = False) -> int:
    """Check the docs against the code; returns the exit code.

    Args:
        write: Make the generated pages anew before checking.
    """
    problems = []
    for path, page in ((CLI_PAGE, cli_page()), (README, readme_page())):
        if write:
            path.write_text(page, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != page:
            problems.append(f"{path.name} is not what the code says; run: just docs")
    problems += link_problems()
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


def cli_page() -> str:
    """Return docs/cli.md as it should be."""
    parts = [HEAD, _help_block([])]
    parts += [f"## wristseg {command}\n\n{_help_block([command])}" for command in COMMANDS]
    return "\n".join(parts)


def readme_page() -> str:
    """Return README.md with its file map made from the first sentence of each module."""
    head, _, _ = README.read_text(encoding="utf-8").partition(MAP_HEAD)
    lines = [f"- `{path.relative_to(ROOT)}`: {_first_sentence(path)}" for path in _modules()]
    return f"{head}{MAP_HEAD}\n\n{MAP_NOTE}\n\n" + "\n".join(lines) + "\n"


def link_problems() -> list[str]:
    """Return the relative links of Markdown files that lead nowhere."""
    problems = []
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")]
    pages += (ROOT / "packages").rglob("*.md")
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                problems += [f"{page.relative_to(ROOT)}: link to {target} leads nowhere"]
    return problems


def _modules() -> list[Path]:
    folders = (ROOT / "scripts", ROOT / "src", *(ROOT / "packages").glob("*/src"))
    found = (path for folder in folders for path in folder.rglob("*.py"))
    named = [path for path in found if path.name not in {"__init__.py", "__main__.py"}]
    # Modules of a folder before its subfolders: base modules of the package come first.
    return sorted(named, key=lambda path: (path.parent.parts, path.name))


def _first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.partition("\n\n")[0].split())
    return re.split(r"(?<=[.;])\s", first)[0].rstrip(".;").replace("``", "`")


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
