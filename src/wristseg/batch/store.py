"""Where outputs go: a folder, or whatever fsspec reaches; a file appears whole or not at all.

In a folder a file is written under a temporary name, flushed and renamed. Object stores (S3, GCS,
Azure) show an upload only when it is complete; on other filesystems it is renamed there too. Called
by ``batch.records`` and ``batch.index``.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from wristseg.artifacts import atomic_path, write_text
from wristseg.errors import MissingExtraError, UsageError

__all__ = ["Store", "filesystem_of", "is_address", "local_path", "open_store"]

#: Stores that show nothing of an upload before it is complete.
_WHOLE_UPLOADS = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "r2", "memory"}
)


class Store(Protocol):
    """Files by name below one place; names have ``/`` between their parts."""

    def writing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Yield a local path to write to; the file appears when the block ends well."""

    def write_text(self, name: str, text: str) -> None:
        """Write UTF-8 text, as ``writing`` does."""

    def read_text(self, name: str) -> str | None:
        """Return the text of a file, or None where there is none."""

    def read_bytes(self, name: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""

    def size(self, name: str) -> int | None:
        """Return a file's bytes, or None where there is none."""

    def names(self, folder: str, suffix: str) -> list[str]:
        """Return the names below a folder that end so, sorted."""

    def delete(self, name: str) -> None:
        """Delete a file; it need not be there."""


def is_address(text: str) -> bool:
    """Tell whether a text is an address such as ``s3://bucket/clips`` rather than a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def local_path(text: str) -> Path | None:
    """Return the path that a text names on this machine; None for an address elsewhere."""
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return None if is_address(text) else Path(text).expanduser()


def open_store(text: str) -> Store:
    """Open the place of the outputs.

    Raises:
        UsageError: fsspec knows no such address, or its package is not installed.
        MissingExtraError: It is an address, and fsspec is not installed.
    """
    path = local_path(text)
    if path is not None:
        return _Folder(path)
    filesystem, root = filesystem_of(text)
    return _Remote(filesystem, root, whole_uploads=text.partition("://")[0] in _WHOLE_UPLOADS)


def filesystem_of(address: str) -> tuple[Any, str]:
    """Return fsspec's filesystem of an address, and the path in it.

    Raises:
        UsageError: fsspec knows no such address, or its package is not installed.
        MissingExtraError: fsspec is not installed.
    """
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise MissingExtraError("fsspec", "stores") from error
    try:
        filesystem, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{address}: {error}") from error
    return filesystem, str(path).rstrip("/")


class _Folder:
    """A folder on this machine, or one that several machines share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def writing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        return atomic_path(self._root / name)

    def write_text(self, name: str, text: str) -> None:
        write_text(self._root / name, text)

    def read_text(self, name: str) -> str | None:
        content = self.read_bytes(name)
        return None if content is None else content.decode("utf-8")

    def read_bytes(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        try:
            return (self._root / name).stat().st_size
        except FileNotFoundError:
            return None

    def names(self, folder: str, suffix: str) -> list[str]:
        found = (self._root / folder).rglob(f"[!.]*{suffix}")
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)


class _Remote:
    """A place that fsspec reaches."""

    def __init__(self, filesystem: Any, root: str, *, whole_uploads: bool) -> None:
        self._filesystem = filesystem
        self._root = root
        self._whole_uploads = whole_uploads

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="wristseg-") as folder:
            path = Path(folder) / PurePosixPath(name).name
            yield path
            with self._as_os_errors(name):
                self._upload(path, f"{self._root}/{name}")

    def write_text(self, name: str, text: str) -> None:
        with self.writing(name) as path:
            path.write_text(text, encoding="utf-8")

    def read_text(self, name: str) -> str | None:
        content = self.read_bytes(name)
        return None if content is None else content.decode("utf-8")

    def read_bytes(self, name: str) -> bytes | None:
        try:
            with self._as_os_errors(name):
                content: bytes = self._filesystem.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def size(self, name: str) -> int | None:
        # What another machine has put there meanwhile must be seen.
        self._filesystem.invalidate_cache()
        try:
            with self._as_os_errors(name):
                return int(self._filesystem.size(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def names(self, folder: str, suffix: str) -> list[str]:
        self._filesystem.invalidate_cache()
        try:
            found = self._filesystem.find(f"{self._root}/{folder}")
        except FileNotFoundError:
            return []
        names = (str(path)[len(self._root) :].lstrip("/") for path in found)
        return sorted(
            name
            for name in names
            if name.endswith(suffix) and not PurePosixPath(name).name.startswith(".")
        )

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._filesystem.rm_file(f"{self._root}/{name}")

    @contextlib.contextmanager
    def _as_os_errors(self, name: str) -> Iterator[None]:
        """Turn a store's own exceptions into what a disk raises: it is no fault of an input."""
        try:
            yield
        except OSError:
            raise
        except NotImplementedError as error:
            text = "addresses of this kind cannot be written to; choose a folder or a bucket"
            raise OSError(None, text, f"{self._root}/{name}") from error
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise OSError(None, text, f"{self._root}/{name}") from error

    def _upload(self, path: Path, target: str) -> None:
        if self._whole_uploads:
            self._filesystem.put_file(str(path), target)
            return
        folder, _, last = target.rpartition("/")
        temporary = f"{folder}/.{path.parent.name}.{last}"
        self._filesystem.makedirs(folder, exist_ok=True)
        try:
            self._filesystem.put_file(str(path), temporary)
            self._filesystem.mv(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                self._filesystem.rm_file(temporary)
            raise
