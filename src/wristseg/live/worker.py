"""The worker thread: segments the newest frame, again and again, and keeps the newest mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.live.capture import Capture, Captured
from wristseg.live.clock import Clock
from wristseg.live.filter import TemporalFilter
from wristseg.live.health import Health, HealthCheck
from wristseg.live.slot import Slot
from wristseg.live.statistics import LiveStatistics, PartTimes

__all__ = ["MaskModel", "Segmented", "Worker"]


class MaskModel(Protocol):
    """What the loop asks of a model; ``wristseg.predict.Segmenter`` is one."""

    @property
    def classes(self) -> ClassTable:
        """Class table of the masks."""

    def predict(self, frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn (H, W, 3) uint8 BGR into (H, W) uint8 class ids, in memory of their own."""


@dataclass(frozen=True)
class Segmented:
    """A frame and its mask.

    Attributes:
        frame: The frame.
        mask: (H, W) uint8, class ids.
        t_ready: When the mask was ready, seconds of the loop's clock.
        health: See ``LiveResult``.
    """

    frame: Captured
    mask: NDArray[np.uint8]
    t_ready: float
    health: Health | None


class Worker:
    """Segments in a thread; everything but ``run`` is used under the clock's lock.

    Args:
        model: The model.
        capture: Where frames come from.
        clock: The loop's.
        statistics: Where times are counted.
        mask_filter: Steadies masks; None for masks as they are.
        health: Looks at frames and masks; None for nothing.

    Attributes:
        newest: The newest mask.
        busy: A frame is being segmented.
        error: What ended the thread early.
        finished: The thread is over.
    """

    def __init__(
        self,
        model: MaskModel,
        capture: Capture,
        clock: Clock,
        statistics: LiveStatistics,
        *,
        mask_filter: TemporalFilter | None,
        health: HealthCheck | None,
    ) -> None:
        self._model = model
        self._capture = capture
        self._clock = clock
        self._statistics = statistics
        self._filter = mask_filter
        self._health = health
        self._closing = False
        self.newest: Slot[Segmented] = Slot()
        self.busy = False
        self.error: Exception | None = None
        self.finished = False

    def close(self) -> None:
        """Ask the thread to end; it does after the frame it is at."""
        self._closing = True
        self._clock.wake()

    def run(self) -> None:
        """Segment until closed or until the model fails."""
        try:
            while (frame := self._next_frame()) is not None:
                self._segment(frame)
        except Exception as error:  # whatever it is, the loop must hear of it
            self.error = error
        finally:
            with self._clock.condition:
                self.finished, self.busy = True, False
                self._clock.wake()

    def _next_frame(self) -> Captured | None:
        with self._clock.condition:
            self.busy = False
            self._clock.wake()  # the loop may wait for the last frame of a recording
            while not self._closing:
                frame = self._capture.slot.take()
                if frame is not None:
                    self.busy = True
                    return frame
                self._clock.wait(float("inf"))
        return None

    def _segment(self, frame: Captured) -> None:
        now = self._clock.now
        t_taken = now()
        mask = self._model.predict(frame.bgr)
        t_inferred = now()
        if self._filter is not None:
            mask = self._filter.apply(frame.bgr, mask)
        health = None if self._health is None else self._health.look(frame.bgr, mask)
        with self._clock.condition:
            t_ready = now()
            self.newest.put(Segmented(frame, mask, t_ready, health))
            self._statistics.count_mask(
                PartTimes(
                    capture_s=frame.t_kept - frame.t_capture,
                    wait_s=t_taken - frame.t_kept,
                    infer_s=t_inferred - t_taken,
                    post_s=t_ready - t_inferred,
                )
            )
            self._clock.wake()
