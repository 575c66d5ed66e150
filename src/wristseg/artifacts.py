"""Files that wristseg leaves behind: written whole or not at all, with their origin.

A file is written under a temporary name **in its target folder**, flushed to disk and then renamed,
so that a crash leaves either the old file or the new one. The system's own temporary folder may
lie on another filesystem, where the last step would be a copy that can be cut short.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import wristseg
from wristseg.interruption import signals_deferred

__all__ = [
    "FileBatch",
    "atomic_path",
    "git_commit",
    "json_text",
    "replacing_folder",
    "sha256_of",
    "sweep_temporaries",
    "versions",
    "write_json",
    "write_text",
]

#: What ``_temporary`` makes of a name.
_TEMPORARY = re.compile(
    r"\.(?P<stem>.+)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-\d+\.tmp(?P<suffix>(\.[^.]*)?)"
)

#: Of file systems, in bytes; and what ``_temporary`` adds to a name, at most.
_LONGEST_NAME, _OWNER_BYTES = 255, 48

_VERSIONED = ("torch", "timm", "lightning", "numpy", "opencv-python-headless", "pillow", "av")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, else it goes.

    The temporary name keeps the suffix, since Pillow and PyAV choose the format by it.

    Raises:
        OSError: The folder cannot be made or written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None:  # a full disk is reported without a name
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _fsync_folder(path.parent)


class FileBatch:
    """Files of one folder that get their names together, at the end of a ``with`` block.

    If the block raises, none of them appears, and none is ever seen half written. Nothing is
    flushed to the disk: this is for files that one command makes again, and whose readers notice
    when a power cut has left them empty. Flushing would take as long as drawing (measured:
    0.4 ms per file on an SSD; far longer on an SD card).

    Args:
        folder: Where the files go; it is made.
        names: The files; each has to be written before the block ends.

    Raises:
        OSError: The folder cannot be made or written to, or the disk is full.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        paths = [folder / name for name in names]
        self._pending = {_temporary(path): path for path in paths}
        self._temporary = {path.name: temporary for temporary, path in self._pending.items()}

    def write(self, name: str, content: bytes) -> None:
        """Write one of the files; several threads, and copies of this process, may call it."""
        path, temporary = self._folder / name, self._temporary[name]
        try:
            with open(temporary, "wb") as file:
                file.write(content)
        except OSError as error:
            error.filename = str(path)
            raise

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        try:
            if kind is None:
                while self._pending:
                    temporary, path = next(iter(self._pending.items()))
                    temporary.replace(path)
                    del self._pending[temporary]
        finally:
            with signals_deferred():  # people press Ctrl-C twice
                for temporary in self._pending:
                    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; on success it takes the latter's place.

    Whatever was in ``folder`` before goes with it; ask first whether it may. If the block raises,
    the old folder stays and nothing new is left.

    Raises:
        OSError: The folder cannot be made or written to, or the disk is full.
    """
    import shutil  # three milliseconds that single files do without

    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    retired = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            folder.rename(retired)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(retired, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, as ``json_text`` lays it out."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Return JSON, indented, keys in the given order; NaN and infinity are refused."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    import hashlib  # loads OpenSSL; commands that hash nothing start without it

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of wristseg, Python and the installed libraries that shape a result."""
    import platform
    from importlib import metadata

    found = {"wristseg": wristseg.__version__, "python": platform.python_version()}
    for name in _VERSIONED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def git_commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit of the code in ``folder`` (with ``-dirty``), or None outside git."""
    import subprocess

    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def sweep_temporaries(folder: Path, *, of: Path | None = None) -> None:
    """Delete what killed processes of this machine left half written in a folder.

    Files of processes that run, and those of other machines that share the folder, stay.

    Args:
        folder: Looked through, without the folders in it; it need not exist.
        of: Only what was to become this file.
    """
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        match = _TEMPORARY.fullmatch(entry.name)
        if match is None or (of is not None and not _may_become(match, of)):
            continue
        if match["host"] == _host() and not _is_alive(int(match["pid"])):
            entry.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    # With the machine's name: on a shared folder two machines may use one process number. With the
    # time: so may two threads of a process, which would otherwise rename each other's halves.
    owner = f"{_host()}-{os.getpid()}-{time.monotonic_ns()}"
    return path.with_name(f".{_short_stem(path)}.{owner}.tmp{path.suffix}")


def _short_stem(path: Path) -> str:
    """Return as much of the stem as the longest temporary name has room for."""
    room = _LONGEST_NAME - _OWNER_BYTES - len(os.fsencode(path.suffix))
    return os.fsencode(path.stem)[: max(room, 1)].decode(errors="ignore")


def _may_become(temporary: re.Match[str], path: Path) -> bool:
    return (temporary["stem"], temporary["suffix"]) == (_short_stem(path), path.suffix)


@functools.cache
def _host() -> str:
    import platform

    return f"{zlib.crc32(platform.node().encode()):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _fsync_folder(folder: Path) -> None:
    # Windows cannot open a folder; there the rename alone has to do.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
