"""Parsing, exit codes and messages that all commands share."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from wristseg.cli.command import run_command
from wristseg.cli.main import COMMANDS, main
from wristseg.errors import DataError, PartialResultError, UsageError
from wristseg.packed_file import SHIPPED_MODELS


@dataclass(frozen=True)
class Options:
    """Options of a command made for these tests."""

    size: int = 3
    """A number."""
    loud: bool = False
    """A flag."""


def run(stage, *argv):
    return run_command(Options, stage, argv, prog="wristseg test", description="Tests.")


def failing(error):
    def stage(options):
        raise error

    return stage


def test_stage_gets_the_options_and_gives_the_exit_code():
    assert run(lambda options: options.size, "--size", "7") == 7


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a"), 2),
        (DataError("f.json", ["a", "b"]), 3),
        (PartialResultError("a"), 4),
        (PermissionError(13, "Permission denied", "x"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_error_ends_with_its_exit_code_and_no_traceback(capsys, error, code):
    assert run(failing(error)) == code
    printed = capsys.readouterr()
    assert printed.err.startswith("wristseg test: ")
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_every_problem_of_a_file_is_listed(capsys):
    run(failing(DataError("f.json", [f"problem {i}" for i in range(103)])))
    printed = capsys.readouterr().err
    assert "f.json: 103 problems" in printed
    assert "  - problem 99\n  ... and 3 more" in printed


def test_notes_of_an_error_are_shown(capsys):
    error = DataError("f.json", "broken")
    error.add_note("while reading frame 7")
    run(failing(error))
    assert capsys.readouterr().err == "wristseg test: f.json: broken\n  while reading frame 7\n"


def test_refusal_of_the_system_names_the_place_first(capsys):
    run(failing(FileExistsError(17, "File exists", "out/masks")))
    assert capsys.readouterr().err == "wristseg test: out/masks: File exists\n"


def test_name_that_is_no_text_is_told(capsys):
    def write(options):
        "clips/bad\udcff.mp4".encode()

    assert run(write) == 3
    said = capsys.readouterr().err
    assert said == (
        "wristseg test: ...'clips/bad\\udcff.mp4'...: a name that is not UTF-8; rename it\n"
    )


def test_argument_that_is_no_text_is_refused_before_any_work(capsys):
    began = []
    assert run(began.append, "--output", "out\udcff") == 3
    assert "'out\\udcff'...: a name that is not UTF-8; rename it" in capsys.readouterr().err
    assert began == []


def test_debug_shows_the_traceback():
    with pytest.raises(UsageError):
        run(failing(UsageError("a")), "--debug")


def test_sigterm_ends_with_143_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    assert run(lambda options: signal.raise_signal(signal.SIGTERM) or 0) == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_unknown_option_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stopped:
        run(lambda options: 0, "--sise", "3")
    assert stopped.value.code == 2


def test_unknown_command_is_a_usage_error(capsys):
    assert main(["mask"]) == 2
    assert "no command 'mask'" in capsys.readouterr().err


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {command} " in printed for command in COMMANDS)


def test_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wristseg ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_opens_with_a_sentence_and_two_commands(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert printed.count(f"wristseg {command}") >= 2
    named = [name for name in SHIPPED_MODELS if name in printed]
    assert named in ([], list(SHIPPED_MODELS)), "all weights that ship, or none"


PRINTING = """
import sys
from dataclasses import dataclass
from wristseg.cli.command import run_command

@dataclass(frozen=True)
class Options:
    pass

def stage(options):
    print("x" * 100_000, flush=True)
    return 0

sys.stdin.readline()  # until the reader is gone
sys.exit(run_command(Options, stage, [], prog="test", description="Tests."))
"""


def test_closed_pipe_is_no_error():
    child = subprocess.Popen(
        [sys.executable, "-c", PRINTING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.close()
    _, error = child.communicate(b"\n")
    assert error == b""
    assert child.returncode == 128 + signal.SIGPIPE
