"""The capture thread: opens the camera, reads it, and keeps the newest good frame.

It owns the camera: it alone opens, reads and releases it, and opens it again after it was lost.
Whatever a driver does inside ``read``, only this thread waits for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.live.camera import (
    BadFrameError,
    Camera,
    CameraEndedError,
    CameraFrame,
    CameraLostError,
)
from wristseg.live.clock import Clock
from wristseg.live.frame_check import FrameCheck
from wristseg.live.result import Status
from wristseg.live.slot import Slot

__all__ = ["Capture", "Captured", "Counts", "Fault"]

#: Between two tries to open a camera that is gone; drivers need a moment after a replug.
_RETRY_S = 0.1


@dataclass(frozen=True)
class Captured:
    """A good frame and where it stands in time; times in seconds of the loop's clock.

    Attributes:
        bgr: (H, W, 3) uint8, BGR.
        frame_id: Its number since the camera was opened; frames that were skipped count.
        t_capture: When the camera had it.
        t_kept: When it was decoded, judged and in the slot.
    """

    bgr: NDArray[np.uint8]
    frame_id: int
    t_capture: float
    t_kept: float


@dataclass(frozen=True)
class Fault:
    """What is wrong with the camera now, and since when."""

    status: Status
    problem: str
    since: float


@dataclass
class Counts:
    """What became of the camera's frames since counting began.

    Attributes:
        captured: Frames that the camera gave, good or bad.
        skipped: Frames that the camera itself passed over: a file's, played too slowly.
        bad: Damaged, black, of one colour, of another size.
        duplicate: Of equal bytes, once the camera counts as frozen.
        reconnects: How often it was opened again.
    """

    captured: int = 0
    skipped: int = 0
    bad: int = 0
    duplicate: int = 0
    reconnects: int = 0


class Capture:
    """Reads a camera in a thread; everything but ``run`` is used under the clock's lock.

    Args:
        camera: Not opened yet.
        clock: The loop's.
        freeze_frames: See ``LiveLimits``.

    Attributes:
        slot: The newest good frame.
        fault: What is wrong now; None after a good frame.
        newest_id: Number of the newest frame, good or bad; -1 before the first.
        counts: See ``Counts``.
        recovered: When the camera last came back after it was lost.
        opened: The camera is open for the first time.
        ended: A recording is over.
        error: What ended the thread early.
        released: The thread is over and the camera let go.
    """

    def __init__(self, camera: Camera, clock: Clock, *, freeze_frames: int | None) -> None:
        self._camera = camera
        self._clock = clock
        self._check = FrameCheck(freeze_frames=freeze_frames)
        self._closing = False
        self._may_read = not camera.waits
        self.slot: Slot[Captured] = Slot()
        self.fault: Fault | None = None
        self.newest_id = -1
        self.counts = Counts()
        self.recovered = -math.inf
        self.opened = False
        self.ended = False
        self.error: Exception | None = None
        self.released = False

    def begin(self) -> None:
        """Let a recording begin, and count from here on."""
        self._may_read = True
        self.counts, self.slot.dropped = Counts(), 0
        self._clock.wake()

    def close(self) -> None:
        """Ask the thread to end; it does once its present ``read`` returns."""
        self._closing = True
        self._camera.interrupt()
        self._clock.wake()

    def run(self) -> None:
        """Read until closed, until a recording ends, or until something breaks."""
        try:
            self._camera.open()
            self._wait_to_begin()
            while not self._closing:
                self._read()
        except CameraEndedError:
            self.ended = True
        except Exception as error:  # whatever it is, the loop must hear of it
            self.error = error
        finally:
            self._camera.release()
            with self._clock.condition:
                self.released = True
                self._clock.wake()

    def _wait_to_begin(self) -> None:
        with self._clock.condition:
            self.opened = True
            self._clock.wake()
            while not self._may_read and not self._closing:
                self._clock.wait(math.inf)

    def _read(self) -> None:
        try:
            frame = self._camera.read()
        except BadFrameError as error:
            self._count_bad("bad_frame", str(error))
        except CameraLostError as error:
            self._reopen(str(error))
        else:
            self._keep(frame)

    def _keep(self, frame: CameraFrame) -> None:
        judged = self._check.judge(frame.bgr)
        with self._clock.condition:
            self.newest_id += frame.skipped
            self.counts.skipped += frame.skipped
        if judged is not None:
            self._count_bad(*judged)
            return
        with self._clock.condition:
            self.newest_id += 1
            self.counts.captured += 1
            now = self._clock.now()
            if self.fault is not None and self.fault.status == "disconnected":
                self.recovered = now
            self.fault = None
            self.slot.put(Captured(frame.bgr, self.newest_id, frame.t_capture, now))
            self._clock.wake()

    def _count_bad(self, status: Status, problem: str) -> None:
        with self._clock.condition:
            self.newest_id += 1
            self.counts.captured += 1
            if status == "duplicate":
                self.counts.duplicate += 1
            else:
                self.counts.bad += 1
            self._set_fault(status, problem)

    def _set_fault(self, status: Status, problem: str) -> None:
        same = self.fault is not None and self.fault.status == status
        since = self.fault.since if self.fault is not None and same else self._clock.now()
        self.fault = Fault(status, problem, since)
        self._clock.wake()

    def _reopen(self, problem: str) -> None:
        """Try until it opens again, or the loop has had enough."""
        with self._clock.condition:
            self._set_fault("disconnected", problem)
        while not self._closing:
            self._camera.release()
            try:
                self._camera.open()
            except CameraLostError:
                self._pause(_RETRY_S)
                continue
            with self._clock.condition:
                self.counts.reconnects += 1
            return

    def _pause(self, seconds: float) -> None:
        with self._clock.condition:
            until = self._clock.now() + seconds
            while not self._closing and self._clock.now() < until:
                self._clock.wait(until)
