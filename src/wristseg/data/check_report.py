"""What ``wristseg check`` found, as data: printed by ``cli.check``, laid out by ``check_page``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wristseg.data.check_rules import Finding, Severity, SplitCounts

__all__ = ["CheckReport", "ClassCount"]


@dataclass(frozen=True)
class ClassCount:
    """How much of one class the labels hold.

    Attributes:
        name: The class.
        color_rgb: Its colour, 0-255 each.
        pixels: Its pixels over all frames.
        share: Its share of all labelled pixels, 0 to 1.
        frames: Frames it is on.
    """

    name: str
    color_rgb: tuple[int, int, int]
    pixels: int
    share: float
    frames: int


@dataclass(frozen=True)
class CheckReport:
    """The state of one data set.

    Attributes:
        dataset_path: Its folder.
        page: The HTML page with the same content.
        findings: Everything to know, errors first.
        frames: Frames that count.
        frames_per_tag: Those, by tag.
        frames_per_recording: Those, by recording.
        excluded: Frames left out by ``excluded.json``.
        without_annotation: Images nobody labelled.
        classes: Class histogram; empty if no frame could be read.
        split: The split that leaks were looked for in, or None if none could be drawn.
    """

    dataset_path: Path
    page: Path
    findings: tuple[Finding, ...]
    frames: int = 0
    frames_per_tag: dict[str, int] | None = None
    frames_per_recording: dict[str, int] | None = None
    excluded: int = 0
    without_annotation: int = 0
    classes: tuple[ClassCount, ...] = ()
    split: SplitCounts | None = None

    @property
    def has_errors(self) -> bool:
        """Whether training on the data set would go wrong."""
        return self.counts["error"] > 0

    @property
    def counts(self) -> Counter[Severity]:
        """Number of findings by severity."""
        return Counter(finding.severity for finding in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence on whether to go on."""
        counts = self.counts
        if counts["error"]:
            return f"{_count(counts['error'], 'error')}: mend before training."
        if counts["warning"]:
            return f"No errors; look at {_count(counts['warning'], 'warning')} before training."
        return "No errors, no warnings: ready for training."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
