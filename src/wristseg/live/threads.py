"""The two threads of a live loop: started and ended together, and never waited for in vain."""

from __future__ import annotations

from collections.abc import Callable

from wristseg.errors import CameraLostError
from wristseg.live.camera import Camera
from wristseg.live.capture import Capture
from wristseg.live.clock import Clock
from wristseg.live.filter import TemporalFilter
from wristseg.live.health import HealthCheck
from wristseg.live.limits import LiveLimits
from wristseg.live.statistics import LiveStatistics
from wristseg.live.worker import MaskModel, Worker

__all__ = ["LoopThreads"]


class LoopThreads:
    """Capture and worker; all but ``start`` and ``close`` is used under the clock's lock.

    Args:
        camera: Not opened yet.
        limits: See there.
        clock: The loop's.

    Attributes:
        capture: The thread that reads the camera.
    """

    def __init__(self, camera: Camera, limits: LiveLimits, clock: Clock) -> None:
        self.capture = Capture(camera, clock, freeze_frames=limits.freeze_frames)
        self._camera = camera
        self._limits = limits
        self._clock = clock
        self._worker: Worker | None = None
        self._started = False

    @property
    def worker(self) -> Worker:
        """The thread that segments, once ``start`` is through."""
        assert self._worker is not None, "enter the context first"
        return self._worker

    def start(
        self,
        load: Callable[[tuple[int, int]], MaskModel],
        statistics: LiveStatistics,
        *,
        mask_filter: TemporalFilter | None,
        health: Callable[[MaskModel], HealthCheck] | None,
    ) -> MaskModel:
        """Open the camera, load the model for its frames, and wait for the first mask.

        Returns:
            The model.

        Raises:
            CameraLostError: No usable frame came in time.
            WristsegError: The camera or the model cannot be used.
        """
        clock, capture = self._clock, self.capture
        self._started = True
        clock.start("wristseg-capture", capture.run)
        with clock.condition:
            self._wait_for(lambda: capture.opened)
            frame_hw = self._camera.frame_hw if self._camera.waits else self._first_frame_hw()
        assert frame_hw is not None
        model = load(frame_hw)
        with clock.condition:
            worker = self._worker = Worker(
                model, capture, clock, statistics,
                mask_filter=mask_filter, health=None if health is None else health(model),
            )  # fmt: skip
            clock.start("wristseg-segment", worker.run)
            capture.begin()
            self._wait_for(lambda: len(worker.newest) > 0)
        return model

    def close(self, *, wait_s: float) -> None:
        """Ask both to end, and wait for them, but no longer than ``wait_s`` seconds."""
        with self._clock.condition:
            until = self._clock.now() + wait_s
            self.capture.close()
            if self._worker is not None:
                self._worker.close()
            while not self._ended() and self._clock.now() < until:
                self._clock.wait(until)

    def raise_errors(self) -> None:
        """Raise what ended a thread early."""
        worker_error = None if self._worker is None else self._worker.error
        for error in (self.capture.error, worker_error):
            if error is not None:
                raise error

    def is_over(self) -> bool:
        """Tell whether a recording has ended and all its masks were taken."""
        waiting = len(self.capture.slot) > 0
        worker = self._worker
        busy = worker is not None and (worker.busy or len(worker.newest) > 0)
        return self.capture.ended and not waiting and not busy

    def _ended(self) -> bool:
        worker_over = self._worker is None or self._worker.finished
        return not self._started or (worker_over and self.capture.released)

    def _first_frame_hw(self) -> tuple[int, int]:
        self._wait_for(lambda: len(self.capture.slot) > 0)
        frame = self.capture.slot.peek()
        assert frame is not None
        return frame.bgr.shape[0], frame.bgr.shape[1]

    def _wait_for(self, there: Callable[[], bool]) -> None:
        """Wait for the camera, its first frame, or the first mask.

        Raises:
            CameraLostError: It did not come in time.
        """
        until = self._clock.now() + self._limits.start_s
        while not there():
            self.raise_errors()
            fault = self.capture.fault
            if self._clock.now() >= until or self.is_over():
                why = "no frame came" if fault is None else fault.problem
                when = "to its end" if self.is_over() else f"within {self._limits.start_s:g} s"
                raise CameraLostError(f"{self._camera.name}: no usable frame {when}: {why}")
            self._clock.wait(until)
