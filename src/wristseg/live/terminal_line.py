"""The line that tells in the terminal how the loop does, while somebody looks."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status as Line

from wristseg.classes import ClassTable
from wristseg.live.health import class_areas
from wristseg.live.result import LiveResult
from wristseg.live.statistics import LiveStatistics

__all__ = ["TerminalLine", "describe"]

#: People cannot read faster, and drawing costs.
_EVERY_S = 0.2


class TerminalLine:
    """A line on stderr that is drawn anew a few times a second; nothing where no terminal is.

    Args:
        classes: Class table of the masks.
        watched: Name of the class whose area is shown; the cube, or None.
    """

    def __init__(self, classes: ClassTable, *, watched: str | None = "cube") -> None:
        console = Console(stderr=True)
        self._line = Line("waiting for the first mask", console=console)
        self._shown = console.is_terminal
        self._classes = classes
        self._watched = watched
        self._next = 0.0

    def __enter__(self) -> Self:
        if self._shown:
            self._line.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            self._line.stop()

    def show(self, result: LiveResult, statistics: LiveStatistics, *, now: float) -> None:
        """Show one result, if it is time to draw again."""
        if self._shown and now >= self._next:
            self._next = now + _EVERY_S
            text = describe(result, statistics, self._classes, watched=self._watched)
            self._line.update(escape(text))


def describe(
    result: LiveResult,
    statistics: LiveStatistics,
    classes: ClassTable,
    *,
    watched: str | None = "cube",
) -> str:
    """Return the line's text."""
    p99 = statistics.age_ms.percentile(0.99)
    parts = [
        f"{result.status} frame {result.frame_id}",
        f"age {result.age_ms:.0f} ms" + ("" if p99 is None else f" (p99 {p99:.0f})"),
        f"missed {statistics.miss_share:.1%} of {statistics.ticks}",
    ]
    class_id = None if watched is None else classes.id_of(watched)
    if class_id is not None:
        share = class_areas(result.mask, len(classes.names))[class_id]
        parts.append(f"{watched} {share:.1%}")
    warnings = () if result.health is None else result.health.warnings
    parts += [text for text in (result.problem, *warnings) if text]
    return " | ".join(parts)
