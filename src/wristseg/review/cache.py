"""Pictures made once and kept: files in a folder of bounded size, the longest unused go first.

Thumbnails and the model's masks lie here. Deleting the folder costs only the time to make them
again; what cannot be written is made anew each time. Called by ``review.pictures``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["FileCache"]


class FileCache:
    """Files by key.

    Args:
        folder: Where they lie; it is made.
        max_bytes: Most bytes of all files together.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes = sum(size for _, size, _ in self._files())

    def get(self, key: str) -> bytes | None:
        """Return the content under a key, or None."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            os.utime(path)  # used now
            return content
        return None

    def has(self, key: str) -> bool:
        """Tell whether there is a file under a key."""
        return self._path(key).is_file()

    def get_or_make(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Return the content under a key; make and keep it where there is none."""
        content = self.get(key)
        if content is None:
            content = make()
            self._put(key, content)
        return content

    def _put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        # Two threads may make the same file: each writes under a name of its own.
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(content)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            with self._lock:
                self._bytes += len(content)
                if self._bytes > self._max_bytes:
                    self._bytes = self._shrink()

    def _shrink(self) -> int:
        """Delete the files that were unused longest, down to nine tenths of the bound."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self._max_bytes * 9 // 10:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                left -= size
        return left

    def _files(self) -> list[tuple[int, int, Path]]:
        """Return (time of last use, bytes, path) of each file."""
        found = []
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._folder):
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    found.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
        return found

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()[:40]
