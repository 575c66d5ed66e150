"""Record what a live loop saw: masks without loss, and beside them ids, times and statuses.

Masks go into a mask video (``wristseg.predict.read_mask_video``), one line per frame into a
``.jsonl`` beside it. Encoding has a thread and a short queue; a disk that does not keep up costs
frames of the recording, which are counted, and never makes the loop wait. A tick without a new
mask has a line, but no frame: its mask was recorded before, or is empty.
"""

from __future__ import annotations

import json
import queue
import threading
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import atomic_path
from wristseg.live.outputs import lines_beside
from wristseg.live.result import LiveResult
from wristseg.predict.mask_video import open_mask_video
from wristseg.predict.video import VideoWriter

__all__ = ["Recorder"]

#: Masks that may wait for the encoder: half a second at 30 Hz, 5 MB at 640x480.
_MOST_WAITING = 16
_MILLISECOND = Fraction(1, 1000)

_Item = tuple[NDArray[np.uint8], int]


class Recorder:
    """Writes results; both files get their names at the end of the ``with`` block.

    Args:
        path: The mask video.
        fps: Nominal frames per second; each frame has its own time besides.
        comment: Where the masks come from, kept in the video.

    Attributes:
        recorded: Masks in the video.
        lost: Masks that are not, since the encoder did not keep up.
    """

    def __init__(self, path: Path, *, fps: float, comment: str) -> None:
        self._path = path
        self._fps = Fraction(fps).limit_denominator(1001)
        self._comment = comment
        self._waiting: queue.Queue[_Item | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._encode, name="wristseg-record", daemon=True)
        self._files = ExitStack()
        self._lines: IO[str] | None = None
        self._video_path: Path | None = None
        self._first: float | None = None
        self._last_ms = self._last_id = -1
        self._error: Exception | None = None
        self.recorded = 0
        self.lost = 0

    @property
    def outputs(self) -> tuple[Path, Path]:
        """The mask video, and the lines beside it."""
        return self._path, lines_beside(self._path)

    def __enter__(self) -> Self:
        video, lines = self.outputs
        self._video_path = self._files.enter_context(atomic_path(video))
        temporary = self._files.enter_context(atomic_path(lines))
        self._lines = self._files.enter_context(temporary.open("w", encoding="utf-8"))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        # A loop that ends by a fault or by Ctrl-C leaves a recording that is whole up to there.
        self._waiting.put(None)
        self._thread.join()
        if self.recorded == 0 and self._error is None:
            self._error = OSError(f"{self._path}: no mask was recorded")
        if self._error is not None:
            self._files.__exit__(type(self._error), self._error, None)
            if kind is None:
                raise self._error
            return
        self._files.close()

    def put(self, result: LiveResult) -> None:
        """Record one result, without waiting.

        Raises:
            OSError: The files cannot be written.
        """
        if self._error is not None:
            raise self._error
        new = result.frame_id != self._last_id
        number = self._enqueue(result) if new else None
        self._last_id = result.frame_id
        line = {
            "video_frame": number,
            "frame_id": result.frame_id,
            "t_capture": result.t_capture,
            "t_ready": result.t_ready,
            "age_ms": round(result.age_ms, 3),
            "status": result.status,
        }
        assert self._lines is not None
        self._lines.write(json.dumps(line) + "\n")

    def _enqueue(self, result: LiveResult) -> int | None:
        """Hand a mask to the encoder; return its number in the video, None if it was lost."""
        if self._first is None:
            self._first = result.t_capture
        # Times of a video grow strictly.
        time_ms = max(round(1000 * (result.t_capture - self._first)), self._last_ms + 1)
        try:
            self._waiting.put_nowait((result.mask, time_ms))
        except queue.Full:
            self.lost += 1
            return None
        self._last_ms = time_ms
        self.recorded += 1
        return self.recorded - 1

    def _encode(self) -> None:
        try:
            first = self._waiting.get()
            if first is None:
                return
            with self._open(first[0]) as video:
                item: _Item | None = first
                while item is not None:
                    video.write(item[0], item[1], image_format="gray")
                    item = self._waiting.get()
        except Exception as error:  # whatever it is, the loop must hear of it
            self._error = error
            while self._waiting.get() is not None:  # the loop must not wait for a full queue
                pass

    def _open(self, mask: NDArray[np.uint8]) -> VideoWriter:
        assert self._video_path is not None
        height, width = mask.shape
        return open_mask_video(
            self._video_path, (height, width),
            fps=self._fps, time_base=_MILLISECOND, comment=self._comment,
        )  # fmt: skip
