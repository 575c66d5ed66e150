"""F26: a loop that runs for long, with a model slower than its camera, does not fall behind."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from tests.live.fakes import FakeCamera, FakeModel
from tests.live.virtual_clock import VirtualClock
from wristseg.live import LiveLimits, LiveSegmenter

_TICKS = 10_000
_FIRST = 1_000
#: The least of so many counts: one can meet what the model's thread holds just then.
_READINGS = 20
#: Frames as large as a camera's. With small ones the interpreter's lists of freed objects, a few
#: kilobytes, are over 5 % of what the loop holds; with these, 5 % is less than an object per tick.
_PICTURES = np.random.default_rng(0).integers(40, 200, (8, 240, 320, 3), np.uint8)


@pytest.mark.slow
def test_f26_ten_thousand_ticks_with_a_slow_model_keep_queue_age_and_memory_bounded():
    clock = VirtualClock()
    camera = FakeCamera(clock, fps=90.0, pictures=_PICTURES)
    model = FakeModel(clock, infer_s=1 / 40)
    limits = LiveLimits(hz=30.0)
    ages, waiting, memory = np.zeros(_TICKS), np.zeros(_TICKS, np.int64), {}
    tracemalloc.start()
    with LiveSegmenter(lambda _size_hw: model, camera, limits, clock=clock) as live:
        for tick in range(_TICKS):
            result = live.latest()
            ages[tick] = result.age_ms
            waiting[tick] = live.frames_waiting
            at = next((end for end in (_FIRST, _TICKS) if end - _READINGS <= tick < end), None)
            if at:
                gc.collect()
                taken = tracemalloc.get_traced_memory()[0]
                memory[at] = min(taken, memory.get(at, taken))
        report = live.report()
    tracemalloc.stop()
    assert waiting.max() <= 1
    # The frame may be a camera's period old when the model takes it; then the model takes its time.
    assert ages.max() <= 1000 * (1 / 90 + 1 / 40) + 0.001
    assert memory[_TICKS] <= 1.05 * memory[_FIRST]
    frames = report["frames"]
    assert frames["dropped"] > 0.5 * frames["captured"]
    assert abs(frames["captured"] - frames["dropped"] - _TICKS) <= 2
    assert report["statuses"]["ok"] == report["ticks"]
