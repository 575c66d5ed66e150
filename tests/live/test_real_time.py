"""F25 on the machine's own clock: the statuses that ``test_faults`` shows on a virtual one."""

from __future__ import annotations

import time

import pytest

from tests.live.fakes import FakeCamera, FakeModel
from wristseg.live import LiveLimits, LiveSegmenter
from wristseg.live.clock import SystemClock

#: Two periods are half a second; what a busy machine adds stays below another one.
_HZ, _SLACK_S = 4.0, 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("hang", "timeout"),
        ("unplugged", "disconnected"),
        ("black", "bad_frame"),
        ("frozen", "duplicate"),
    ],
)
def test_f25_fault_is_told_within_two_real_periods_and_ages_are_real(mode, status):
    clock = SystemClock()
    camera, model = FakeCamera(clock, fps=20.0, mode="good"), FakeModel(clock, infer_s=0.0)
    limits = LiveLimits(hz=_HZ, on_fault="hold")
    with LiveSegmenter(lambda _size_hw: model, camera, limits, clock=clock) as live:
        good = [live.latest() for _ in range(10)]
        assert {result.status for result in good} == {"ok"}
        camera.switch(mode)
        began = time.monotonic()
        while (result := live.latest()).status != status:
            assert result.ok
            assert time.monotonic() - began < 2 / _HZ + _SLACK_S
        assert time.monotonic() - began < 2 / _HZ + _SLACK_S
        age_s = time.monotonic() - result.t_capture
        assert result.age_ms / 1000 == pytest.approx(age_s, abs=0.1)
        assert result.frame_id >= good[-1].frame_id
        camera.switch("good")  # a read that hangs returns, and the camera can be let go
        while not live.latest().ok:
            assert time.monotonic() - began < 5 / _HZ + _SLACK_S
    assert live.released
