"""``wristseg check``: look a data set over before training on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import run_command
from wristseg.configs import CheckConfig

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wristseg.data.check_report import CheckReport

__all__ = ["main"]

_DESCRIPTION = """
Look a data set over before training: labels, images, marks, duplicates, leaks, draw orders.

  wristseg check data/dataset_v0
  wristseg check data/dataset_v0 --output outputs/check.html --split-by recording

Exit code 3 if there are errors, 0 otherwise.
"""

#: More lines of one topic would push the others off the screen; the page has them all.
_LINES_PER_TOPIC = {"error": 20, "warning": 8, "note": 3}

_STYLE = {"error": "bold red", "warning": "yellow", "note": "dim"}


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg check") -> int:
    """Run the command and return its exit code."""
    return run_command(CheckConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: CheckConfig) -> int:
    from rich.console import Console

    from wristseg.data.check import check_dataset

    report = check_dataset(config)
    console = Console()
    for part in _parts(report):
        # Lines are left whole, for grep and for terminals of any width.
        console.print(part, soft_wrap=True)
    print(f"page: {report.page}")
    return 3 if report.has_errors else 0


def _parts(report: CheckReport) -> Iterator[RenderableType]:
    from rich.text import Text

    tags = ", ".join(f"{count} {tag}" for tag, count in (report.frames_per_tag or {}).items())
    yield Text(
        f"{report.dataset_path}: {report.frames} frames ({tags or 'none'}), {report.excluded}"
        f" excluded, {report.without_annotation} without annotation"
    )
    if report.classes:
        yield _class_table(report)
    yield from _finding_lines(report)
    if report.split is not None:
        yield Text(
            f"split: {report.split.train} train, {report.split.val} validation"
            f" ({report.split.neighbours} next to a training frame)"
        )
    worst = "error" if report.has_errors else "warning" if report.counts["warning"] else "note"
    yield Text(report.verdict, style=_STYLE[worst] if worst != "note" else "green")


def _class_table(report: CheckReport) -> RenderableType:
    from rich.table import Table

    table = Table("class", box=None, pad_edge=False)
    for heading in ("pixels", "share", "frames"):
        table.add_column(heading, justify="right")
    for row in report.classes:
        table.add_row(row.name, f"{row.pixels:,}", f"{row.share:.2%}", str(row.frames))
    return table


def _finding_lines(report: CheckReport) -> Iterator[RenderableType]:
    from rich.text import Text

    printed: dict[tuple[str, str], int] = {}
    for finding in report.findings:
        key = (finding.severity, finding.topic)
        printed[key] = printed.get(key, 0) + 1
        if printed[key] <= _LINES_PER_TOPIC[finding.severity]:
            head = (f"{finding.severity:<8}", _STYLE[finding.severity])
            yield Text.assemble(head, f"{finding.topic}: {finding.text}")
    for (severity, topic), count in printed.items():
        hidden = count - _LINES_PER_TOPIC[severity]
        if hidden > 0:
            yield Text(f"{severity:<8}{topic}: {hidden} more on the page", style=_STYLE[severity])
