"""Errors that wristseg raises on purpose, each with the exit code its command ends with.

    WristsegError
    |-- UsageError           2  options that contradict each other, an input that is not there
    |   `-- MissingExtraError   an optional dependency is not installed
    |-- DataError            3  labels, images or videos that break a rule; lists every fault found
    |-- CheckpointError      3  a model file that cannot be trusted or does not fit
    |-- TrainingError        3  a training that cannot go on: a loss or weight that is not finite,
    |                           memory too small for a single frame
    |-- CameraError          3  a camera that cannot be opened
    |   |-- CameraLostError     ... or that went away
    |   |-- BadFrameError       one frame of it is damaged; the live loop turns it into a status
    |   `-- CameraEndedError    a recording was played to its end; no error of a command
    |-- LiveError            4  a live loop ended early; what it wrote up to then is whole
    |   |-- LiveStatusError     too many ticks in a row without a new mask
    |   `-- WatchdogError       no new mask for so long that something has to be stuck
    |-- ContestantError      3  a program that is measured beside wristseg failed (benchmark)
    `-- PartialResultError   4  some of the outputs could not be made; names which

A message says where, what was found, what was expected and what to do. Readers collect every
fault of a file and raise once; stages add the frame with ``add_note``.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BadFrameError",
    "CameraEndedError",
    "CameraError",
    "CameraLostError",
    "CheckpointError",
    "DataError",
    "LiveError",
    "LiveStatusError",
    "MissingExtraError",
    "PartialResultError",
    "TrainingError",
    "UsageError",
    "WatchdogError",
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


class CameraError(WristsegError):
    """A camera cannot be used."""


class CameraLostError(CameraError):
    """The camera is not there, or no longer; opening it again may help."""


class BadFrameError(CameraError):
    """One frame cannot be used; the next may be whole."""


class CameraEndedError(CameraError):
    """A recording that stood in for a camera has been played to its end."""


class LiveError(WristsegError):
    """A live loop cannot go on; reports and recordings up to then are whole."""

    exit_code = 4


class LiveStatusError(LiveError):
    """Too many ticks in a row had no new mask.

    Args:
        message: What happened.
        status: Status of the last tick (``wristseg.live.Status``).
    """

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


class WatchdogError(LiveStatusError):
    """No new mask for the watchdog's time; the camera was let go."""
