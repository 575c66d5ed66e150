"""Decoded frames kept for the next epoch: in memory up to a bound, beyond it in a mapped file.

The file has no name from the moment it exists, so nothing is left of it when the process ends, also
when it is killed. What the system reads of it lies in memory that it takes back when others need
it. In and out: an image and a mask by position. Used by ``data.frames``.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BYTES_PER_PIXEL", "FrameStore", "PixelPair"]

#: Image (h, w, 3) and class ids (h, w), uint8.
PixelPair = tuple[NDArray[np.uint8], NDArray[np.uint8]]

#: Three bytes of colour, one of class.
BYTES_PER_PIXEL = 4


class FrameStore:
    """Keeps each frame once it was put here; threads may put and get at the same time.

    Processes forked from this one may read; what they put is dropped, and a copy that was sent to
    another process starts empty.

    Args:
        sizes_hw: Height and width of the frames, by position.
        memory_bytes: Most memory; the frames that fit, counted from the first, lie there.
        folder: Where the file for the others is made; the system's temporary folder where None.
    """

    def __init__(
        self, sizes_hw: Sequence[tuple[int, int]], *, memory_bytes: int, folder: Path | None = None
    ) -> None:
        self._sizes_hw = list(sizes_hw)
        sizes = np.array([height * width * BYTES_PER_PIXEL for height, width in sizes_hw], np.int64)
        ends = np.cumsum(sizes)
        self._num_in_memory = int(np.searchsorted(ends, memory_bytes, side="right"))
        self.memory_bytes = int(ends[self._num_in_memory - 1]) if self._num_in_memory else 0
        self._offsets = ends - sizes - self.memory_bytes
        self._file_bytes = int(sizes[self._num_in_memory :].sum())
        self._folder = folder
        self._start_empty()

    def get(self, position: int) -> PixelPair | None:
        """Return a frame, or None where it was not put here yet; do not write into it."""
        if position in self._in_memory:
            return self._in_memory[position]
        if position not in self._in_file:
            return None
        assert self._mapped is not None
        height, width = self._sizes_hw[position]
        start, pixels = int(self._offsets[position]), height * width
        image = self._mapped[start : start + 3 * pixels].reshape(height, width, 3)
        return image, self._mapped[start + 3 * pixels :][:pixels].reshape(height, width)

    def put(self, position: int, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Keep a frame of the size that was announced for its position.

        Raises:
            OSError: There is no room on the disk for the file.
        """
        if position < self._num_in_memory:
            self._in_memory[position] = image, mask
            return
        if os.getpid() != self._owner:
            return  # the place in the file is shared with the process this one was forked from
        try:
            with self._lock:
                self._write(position, image, mask)
        except OSError as error:
            if error.filename is None:  # the file has no name of its own
                error.filename = str(self._folder or tempfile.gettempdir())
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to start its own; frames and file stay here."""
        own = {"_in_memory", "_in_file", "_file", "_mapped", "_lock", "_owner"}
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start empty, with the sizes of the one that was sent."""
        self.__dict__.update(state)
        self._start_empty()

    def _start_empty(self) -> None:
        self._in_memory: dict[int, PixelPair] = {}
        self._in_file: set[int] = set()
        self._file: IO[bytes] | None = None
        self._mapped: NDArray[np.uint8] | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def _write(self, position: int, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        file = self._open_file()
        file.seek(int(self._offsets[position]))
        # Written, not stored through the map: there, a full disk would kill the process.
        file.write(np.ascontiguousarray(image).data)
        file.write(np.ascontiguousarray(mask).data)
        file.flush()
        self._in_file.add(position)

    def _open_file(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - open as long as the store
                dir=self._folder, prefix=".wristseg_frames_"
            )
            weakref.finalize(self, self._file.close)
            self._file.truncate(self._file_bytes)
            # As a plain array: a memmap gives each of its slices more work than a small frame is.
            self._mapped = np.asarray(np.memmap(self._file, np.uint8, mode="r"))
        return self._file
