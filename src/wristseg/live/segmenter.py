"""The live loop as a program uses it: a camera goes in, masks that say how old they are come out.

    with LiveSegmenter.open("best.ckpt", camera=0, hz=30) as live:
        for result in live:
            act(result.mask)

One thread reads the camera, one segments, and the newest frame wins in both: nothing waits in a
queue to grow old. The caller waits for a new mask at most until the one before it is stale, however
long a driver may hang. Called by ``wristseg live`` and by robots' loops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from wristseg.errors import (
    CameraEndedError,
    CheckpointError,
    LiveStatusError,
    WatchdogError,
)
from wristseg.interruption import raise_lost_signal
from wristseg.live.camera import Camera
from wristseg.live.cameras import open_camera
from wristseg.live.capture import Fault
from wristseg.live.clock import Clock, SystemClock
from wristseg.live.filter import TemporalFilter
from wristseg.live.health import HealthCheck
from wristseg.live.limits import LiveLimits
from wristseg.live.result import STATUSES, LiveResult, Status
from wristseg.live.statistics import LiveStatistics
from wristseg.live.threads import LoopThreads
from wristseg.live.worker import MaskModel, Segmented
from wristseg.packed_file import model_path
from wristseg.predict import Segmenter

__all__ = ["LiveSegmenter"]

#: Leaving the ``with`` block waits for the threads no longer than this, seconds.
_CLOSE_S = 0.5


class LiveSegmenter:
    """Masks of a camera, one tick at a time; a context manager, entered once.

    Entering opens the camera, loads the model for its frame size and waits for the first mask.

    Args:
        load: Returns the model for frames of (height, width).
        camera: Not opened yet.
        limits: When a mask is stale, when the loop ends, and what it gives meanwhile.
        mask_filter: Steadies masks; policies are better off without (its delay is stated there).
        health: Returns what looks at frames and masks, for the loaded model; None for nothing.
        warm_up: Masks at the beginning that the statistics leave out.
        clock: Another one than the machine's, in tests.
    """

    def __init__(
        self,
        load: Callable[[tuple[int, int]], MaskModel],
        camera: Camera,
        limits: LiveLimits | None = None,
        *,
        mask_filter: TemporalFilter | None = None,
        health: Callable[[MaskModel], HealthCheck] | None = None,
        warm_up: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._load = load
        self.camera = camera
        self.limits = limits or LiveLimits()
        self._clock = clock or SystemClock()
        self._filter = mask_filter
        self._health = health
        self._threads = LoopThreads(camera, self.limits, self._clock)
        #: Ages, misses and statuses so far.
        self.statistics = LiveStatistics(self.limits.period_s, warm_up=warm_up)
        self._model: MaskModel | None = None
        self._last: Segmented | None = None
        self._faults_in_a_row = 0
        self._counted = -math.inf
        #: When the last mask came, or the loop began; the watchdog counts from here.
        self._alive = math.inf
        self._last_tick = -math.inf

    @classmethod
    def open(
        cls,
        checkpoint: Path | str,
        *,
        camera: int | str = 0,
        hz: float | None = None,
        fps: float | None = None,
        size_hw: tuple[int, int] | None = None,
        loop: bool = False,
        device: str = "auto",
        threads: int | None = None,
        mask_filter: TemporalFilter | None = None,
        health: Callable[[MaskModel], HealthCheck] | None = None,
        warm_up: int = 0,
        **limits: Any,
    ) -> Self:
        """Name a model and a camera; entering the result opens them.

        Args:
            checkpoint: As for ``Segmenter.load``.
            camera: Number or path of a device, path of a video, or address of a stream.
            hz: Ticks per second of the caller's loop; those of ``fps`` or of the file, else 30,
                where not given.
            fps: See ``open_camera``.
            size_hw: See ``open_camera``.
            loop: See ``open_camera``.
            device: As for ``Segmenter.load``.
            threads: As for ``Segmenter.load``.
            mask_filter: See the class.
            health: See the class.
            warm_up: See the class.
            limits: Other fields of ``LiveLimits``.

        Raises:
            CheckpointError: There is no such model.
            UsageError: There is no such kind of camera, or a limit makes no sense.
            DataError: The camera is a file that is no video.
        """
        path = model_path(checkpoint)
        if not path.exists():
            raise CheckpointError(f"{path}: no such file")
        source = open_camera(camera, fps=fps, size_hw=size_hw, loop=loop)

        def load(frame_hw: tuple[int, int]) -> MaskModel:
            return Segmenter.load(path, device=device, threads=threads, frame_hw=frame_hw)

        rate = hz if hz is not None else source.fps or LiveLimits.hz
        return cls(
            load, source, LiveLimits(hz=rate, **limits),
            mask_filter=mask_filter, health=health, warm_up=warm_up,
        )  # fmt: skip

    @property
    def model(self) -> MaskModel:
        """The model, once entered."""
        assert self._model is not None, "enter the context first"
        return self._model

    @property
    def started(self) -> bool:
        """Whether there was a first mask."""
        return self.statistics.masks > 0

    @property
    def frames_waiting(self) -> int:
        """Frames between the camera and the model: never more than one."""
        with self._clock.condition:
            return len(self._threads.capture.slot)

    @property
    def released(self) -> bool:
        """Whether the camera was let go; false while its driver hangs, even after ``close``."""
        return self._threads.capture.released

    def __enter__(self) -> Self:
        try:
            self._model = self._threads.start(
                self._load, self.statistics, mask_filter=self._filter, health=self._health
            )
        except BaseException:
            self.close()
            raise
        self._alive = self._clock.now()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[LiveResult]:
        """Yield one result per tick until a recording ends."""
        while True:
            try:
                result = self.latest()
            except CameraEndedError:
                return
            yield result

    def latest(self, *, timeout_s: float | None = None) -> LiveResult:
        """Return the newest mask that was not returned before, waiting for it if need be.

        Args:
            timeout_s: Longest wait in seconds, 0 for none. Where not given, until the mask before
                is stale. A tick without a new mask waits for a period at least, unless it is told
                otherwise here.

        Returns:
            A new mask, or what the policy for faults says, with the reason in ``status``.

        Raises:
            LiveStatusError: The policy is ``raise``, and too many ticks in a row had no new mask.
            WatchdogError: No new mask for the watchdog's time; the camera is let go.
            CameraEndedError: The camera was a recording, and all of it was returned.
            WristsegError: The camera or the model cannot be used any more.
        """
        raise_lost_signal()
        with self._clock.condition:
            segmented, fault = self._wait(timeout_s)
            now = self._clock.now()
            self._last_tick = now
            result = self._result(segmented, fault, now)
            self.statistics.count_tick(result, new=fault is None, now=now)
        self._count_fault(result, now)
        limit = self.limits.raise_after
        if self.limits.on_fault == "raise" and self._faults_in_a_row >= limit:
            raise LiveStatusError(
                f"{self.camera.name}: {limit} ticks in a row without a new mask, the last is "
                f"{result.status} ({result.problem}); newest mask: {result.age_ms:.0f} ms old",
                status=result.status,
            )
        return result

    def report(self) -> dict[str, Any]:
        """Return the figures of the loop so far, as they stand in the JSON report."""
        with self._clock.condition:
            capture = self._threads.capture
            return self.statistics.report(
                capture.counts, dropped=capture.slot.dropped, now=self._clock.now()
            )

    def close(self) -> None:
        """End both threads and let the camera go; waits half a second at most.

        A camera whose driver hangs in a read is let go as soon as that read returns, or with the
        end of the process.
        """
        self._threads.close(wait_s=_CLOSE_S)

    def _count_fault(self, result: LiveResult, now: float) -> None:
        """Count ticks in a row without a new mask: one per period, however often somebody asks."""
        if result.ok:
            self._faults_in_a_row, self._counted = 0, now
        elif now - self._counted >= 0.9 * self.limits.period_s:
            self._faults_in_a_row, self._counted = self._faults_in_a_row + 1, now

    def _wait(self, timeout_s: float | None) -> tuple[Segmented, Fault | None]:
        """Return a new mask, or the last one and what is wrong."""
        began = self._clock.now()
        while True:
            new = self._threads.worker.newest.take()
            if new is not None:
                self._last, self._alive = new, new.t_ready
                return new, None
            self._threads.raise_errors()
            if self._threads.is_over():
                raise CameraEndedError(f"{self.camera.name}: played to its end")
            self._raise_if_stuck()
            assert self._last is not None
            now, until = self._clock.now(), self._give_up(began, timeout_s)
            if now >= until:
                return self._last, self._fault(now)
            self._clock.wait(min(until, self._stuck_at()))

    def _give_up(self, began: float, timeout_s: float | None) -> float:
        """Return until when a tick waits: never longer than its timeout."""
        assert self._last is not None
        if timeout_s is not None:
            return began + timeout_s
        next_tick = self._last_tick + self.limits.period_s
        if self._threads.capture.fault is None:
            next_tick = max(next_tick, self._last.frame.t_capture + self.limits.stale_s)
        return min(next_tick, began + self.limits.stale_s)

    def _fault(self, now: float) -> Fault:
        assert self._last is not None
        if self._threads.capture.fault is not None:
            return self._threads.capture.fault
        if self._threads.capture.newest_id > self._last.frame.frame_id:
            return Fault("stale", STATUSES["stale"], now)
        return Fault("timeout", STATUSES["timeout"], now)

    def _result(self, segmented: Segmented, fault: Fault | None, now: float) -> LiveResult:
        frame = segmented.frame
        age_s = now - frame.t_capture
        status: Status = "ok" if age_s <= self.limits.stale_s else "stale"
        problem = "" if status == "ok" else STATUSES[status]
        if fault is not None:
            status, problem = fault.status, fault.problem
        empty = status != "ok" and self.limits.on_fault == "empty"
        return LiveResult(
            mask=np.zeros_like(segmented.mask) if empty else segmented.mask,
            frame_bgr=frame.bgr,
            frame_id=frame.frame_id,
            t_capture=frame.t_capture,
            t_ready=segmented.t_ready,
            age_ms=1000.0 * age_s,
            status=status,
            problem=problem,
            health=segmented.health,
        )

    def _stuck_at(self) -> float:
        """Return when the watchdog ends the loop."""
        fault, limits = self._threads.capture.fault, self.limits
        until = max(self._alive, self._threads.capture.recovered) + limits.watchdog_s
        gone = fault is not None and fault.status == "disconnected"
        if limits.reconnect_s is not None and fault is not None and gone:
            return max(until, fault.since + limits.reconnect_s)
        return until

    def _raise_if_stuck(self) -> None:
        now = self._clock.now()
        if now < self._stuck_at():
            return
        fault = self._fault(now)
        self._threads.close(wait_s=self.limits.period_s)
        raise WatchdogError(
            f"{self.camera.name}: no new mask for {now - self._alive:.2f} s, expected one every "
            f"{self.limits.period_s:.3f} s: {fault.status} ({fault.problem}); the camera is let go",
            status=fault.status,
        )
