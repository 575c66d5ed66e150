"""What every command does around its stage: parse, run, turn errors into exit codes.

Exit codes: 0 done, 2 usage, 3 bad data or model, 4 partial result, 130 and 143 interrupted by
SIGINT and SIGTERM. Results go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from wristseg.cli.options import parse_options
from wristseg.errors import MissingExtraError, PartialResultError, WristsegError
from wristseg.interruption import Terminated, own_process, signals_raise

__all__ = ["limit_spinning", "needs_extra", "raise_if_partial", "run_command"]

ConfigT = TypeVar("ConfigT")


def run_command(
    config_type: type[ConfigT],
    stage: Callable[[ConfigT], int],
    argv: Sequence[str] | None = None,
    *,
    prog: str,
    description: str,
    defaults: Callable[[Sequence[str]], Mapping[str, Any]] | None = None,
) -> int:
    """Parse ``argv`` into a config, call the stage with it and return the exit code.

    Args:
        config_type: Frozen dataclass that describes the options.
        stage: Does the work; returns an exit code.
        argv: Arguments after the command's name; those of the process by default.
        prog: Name of the command as typed, for ``--help``.
        description: One sentence and two commands to paste.
        defaults: Looks the arguments over and returns the fields whose defaults they change.

    Returns:
        The exit code; ``SystemExit`` is raised for ``--help`` and for options that do not parse.
    """
    if argv is None:
        own_process()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    description = f"{description.strip()}\n\nWith --debug, an error shows its traceback."
    try:
        with signals_raise():
            for argument in arguments:
                argument.encode()  # one that is no text fails here, before anything is written
            changed = None if defaults is None else defaults(arguments)
            config = parse_options(
                config_type, arguments, prog=prog, description=description, defaults=changed
            )
            return stage(config)
    except BrokenPipeError:
        # The reader of our output (head, less) went away; that is no error of the command.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (WristsegError, OSError) as error:
        if debug:
            raise
        return _report(prog, error)
    except UnicodeEncodeError as error:
        # Bytes of file names that are no text; records and lists of files are UTF-8.
        if debug or error.reason != "surrogates not allowed":
            raise
        around = ascii(error.object[max(0, error.start - 60) : error.end + 20])
        print(f"{prog}: ...{around}...: a name that is not UTF-8; rename it", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
    except Terminated:
        print(f"{prog}: terminated", file=sys.stderr)
        return 143


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn an import that fails inside into an error that names the extra to install.

    Raises:
        MissingExtraError: A library of that extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "a library", extra) from error


def raise_if_partial(problems: Sequence[str]) -> None:
    """End a command whose results are written with exit code 4 if something is missing in them.

    Raises:
        PartialResultError: There are problems; it lists them.
    """
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise PartialResultError(f"done, but for {len(problems)} problems:{lines}")


def limit_spinning() -> None:
    """Let OpenMP's threads sleep soon when they wait; to be called before torch is imported.

    Sleeping at once doubles a training step at 84x84, whose operations are short; spinning on, as
    OpenMP does by itself, triples it as soon as anything else, the thread that prepares frames
    included, wants a core. A thousand turns cost little in either case (docs/performance.md).
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _report(prog: str, error: WristsegError | OSError) -> int:
    print(f"{prog}: {_message(error)}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(f"  {note}", file=sys.stderr)
    # What the operating system refuses (read-only folder, disk full) is a fault of the input too.
    return error.exit_code if isinstance(error, WristsegError) else 3


def _message(error: WristsegError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror is not None:
        # Of a failed rename the second name is the one that the user gave.
        names = (error.filename2, error.filename)
        place = next((str(name) for name in names if name is not None), None)
        return error.strerror if place is None else f"{place}: {error.strerror}"
    return str(error)
