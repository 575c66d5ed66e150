"""Errors that wristseg raises on purpose, each with the exit code its command ends with.

    WristsegError
    |-- UsageError           2  options that contradict each other, an input that is not there
    |   `-- MissingExtraError   an optional dependency is not installed
    |-- DataError            3  labels, images or videos that break a rule; lists every fault found
    |-- CheckpointError      3  a model file that cannot be trusted or does not fit
    |-- TrainingError        3  a training that cannot go on: the loss or a weight is not finite
    |-- ContestantError      3  a program that is measured beside wristseg failed (benchmark)
    `-- PartialResultError   4  some of the outputs could not be made; names which

A message says where, what was found, what was expected and what to do. Readers collect every
fault of a file and raise once; stages add the frame with ``add_note``.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CheckpointError",
    "DataError",
    "MissingExtraError",
    "PartialResultError",
    "TrainingError",
    "UsageError",
    "WristsegError",
]


class WristsegError(Exception):
    """Base of every error a user can mend; commands print it without a traceback."""

    exit_code: int = 3


class UsageError(WristsegError):
    """The command or call was given options that cannot work."""

    exit_code = 2


class MissingExtraError(UsageError):
    """An optional dependency is missing.

    Args:
        package: The import that failed, for example ``mujoco``.
        extra: The extra of wristseg that brings it, for example ``sim``.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; run: pip install 'wristseg[{extra}]' "
            f"(in a clone: uv sync --extra {extra})"
        )


class DataError(WristsegError):
    """Input data breaks one or more rules; nothing was written.

    Args:
        where: File or folder the problems were found in.
        problems: One line each; all that were found, not only the first.
    """

    #: More lines than this on a terminal hide the first ones.
    MAX_LINES = 100

    def __init__(self, where: object, problems: Sequence[str] | str) -> None:
        self.where = str(where)
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__(self._message())

    def _message(self) -> str:
        if len(self.problems) == 1:
            return f"{self.where}: {self.problems[0]}"
        lines = [f"{self.where}: {len(self.problems)} problems"]
        lines += [f"  - {problem}" for problem in self.problems[: self.MAX_LINES]]
        hidden = len(self.problems) - self.MAX_LINES
        if hidden > 0:
            lines.append(f"  ... and {hidden} more")
        return "\n".join(lines)


class CheckpointError(WristsegError):
    """A checkpoint or exported model cannot be read, is unsafe, or does not fit."""


class TrainingError(WristsegError):
    """A training cannot go on; the checkpoints written so far are whole."""


class PartialResultError(WristsegError):
    """Some outputs were written, some could not be; the message lists the latter."""

    exit_code = 4
