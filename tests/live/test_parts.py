"""Frame check, slot, latency, limits, health: the loop's parts one by one."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError, UsageError
from wristseg.images import write_mask
from wristseg.live import LiveLimits
from wristseg.live.frame_check import FrameCheck
from wristseg.live.health import AreaRange, HealthCheck, reference_areas
from wristseg.live.latency import Histogram
from wristseg.live.slot import Slot


def noise(seed=0, size_hw=(64, 96)):
    return np.random.default_rng(seed).integers(30, 220, (*size_hw, 3), np.uint8)


def verdict(frame, *, first=None):
    check = FrameCheck(freeze_frames=5)
    assert check.judge(noise(99) if first is None else first) is None
    return check.judge(frame)


def test_noise_of_a_lit_scene_passes():
    assert verdict(noise()) is None


def test_dark_noise_of_a_covered_lens_is_black():
    status, problem = verdict(np.random.default_rng(0).integers(0, 15, (64, 96, 3), np.uint8))
    assert (status, problem) == ("bad_frame", "frame is black; is the lens covered?")


def test_grey_below_a_cut_is_seen_and_a_white_table_below_is_not():
    cut, table = noise(), noise()
    cut[40:] = (128, 128, 128)
    table[40:] = 255
    assert verdict(cut)[1] == "frame is cut off: its lower part is one colour, BGR 128,128,128"
    assert verdict(table) is None


def test_frame_of_another_size_names_both_sizes():
    assert "frame is 32x96, the first one was 64x96" in verdict(noise(size_hw=(32, 96)))[1]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (None, "frame is NoneType"),
        (np.zeros((4, 4), np.uint8), r"frame is (4, 4) uint8"),
        (np.zeros((4, 4, 3), np.float32), r"frame is (4, 4, 3) float32"),
        (np.zeros((0, 4, 3), np.uint8), r"frame is (0, 4, 3) uint8"),
    ],
)
def test_what_is_no_frame_is_described(frame, said):
    assert said in verdict(frame)[1]


def test_frozen_is_the_fifth_equal_frame_and_one_changed_pixel_ends_it():
    check = FrameCheck(freeze_frames=5)
    frozen = noise()
    verdicts = [check.judge(frozen.copy()) for _ in range(6)]
    assert [v is None for v in verdicts] == [True] * 4 + [False] * 2
    assert verdicts[4][0] == "duplicate"
    changed = frozen.copy()
    changed[13, 13, 1] ^= 1  # between the pixels that are looked at first
    assert check.judge(changed) is None


def test_slot_keeps_the_newest_and_counts_what_nobody_took():
    slot = Slot()
    for number in range(5):
        slot.put(number)
        assert len(slot) == 1
    assert (slot.take(), slot.dropped, slot.take(), len(slot)) == (4, 4, None, 0)


def test_percentiles_are_within_a_hundredth_of_numpys():
    values = np.random.default_rng(0).lognormal(2.0, 1.0, 20_000)
    times = Histogram()
    for value in values:
        times.add(float(value))
    for share in (0.5, 0.95, 0.99):
        assert times.percentile(share) == pytest.approx(np.quantile(values, share), rel=0.012)
    assert times.summary().max == values.max()


def test_histogram_of_nothing_has_no_percentiles():
    summary = Histogram().summary()
    assert (summary.count, summary.p50, summary.max) == (0, None, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hz": 0.0}, "expected a rate above 0"),
        ({"stale_periods": 6.0}, "the watchdog no earlier"),
        ({"freeze_frames": 1}, "expected 2 or more"),
        ({"raise_after": 0}, "expected 1 or more"),
        ({"reconnect_s": 0.0}, "expected more than 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(options, said):
    with pytest.raises(UsageError, match=said):
        LiveLimits(**options)


def test_limits_follow_the_rate():
    limits = LiveLimits(hz=10.0)
    assert (limits.stale_s, limits.watchdog_s) == pytest.approx((0.2, 0.5))


def test_health_tells_dark_frames_jumps_and_unusual_areas():
    check = HealthCheck(DEFAULT_CLASSES, {3: AreaRange(0.02, 0.10)})
    mask = np.full((64, 96), 2, np.uint8)
    mask[:16, :16] = 3
    quiet = check.look(noise(), mask)
    assert quiet.warnings == ()
    assert quiet.areas[3] == pytest.approx(16 * 16 / (64 * 96))
    jumped = check.look(noise() // 12, np.full((64, 96), 3, np.uint8))
    assert [text.split()[0] for text in jumped.warnings] == ["frame", "96%", "cube"]
    assert "cube covers 100.0% of the frame, 2.0% to 10.0% in the reference" in jumped.warnings


def test_reference_gives_the_range_of_each_class(tmp_path):
    for name, rows in (("a", 8), ("b", 16)):
        mask = np.full((64, 64), 2, np.uint8)
        mask[:rows] = 3
        write_mask(tmp_path / f"{name}.png", mask, DEFAULT_CLASSES)
    areas = reference_areas(tmp_path, 6)
    assert areas[3] == AreaRange(0.125, 0.25)
    assert areas[5] == AreaRange(0.0, 0.0)


def test_reference_without_masks_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no mask"):
        reference_areas(tmp_path, 6)
