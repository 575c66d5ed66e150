"""The live loop is timed by running the command, and a loop that cannot be is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.predict.clips import make_clip
from wristseg.benchmark.live_loop import _at_both_ends, measure_live_loop
from wristseg.benchmark.process import ContestantError


def test_memory_is_that_at_the_thousandth_tick_and_before_the_end():
    figures = {"ticks": 2000, "seconds": 10.0}
    memory = [(float(second), 100.0 + second) for second in range(16)]
    assert _at_both_ends(figures, memory) == (110.0, 114.0)
    assert _at_both_ends({**figures, "ticks": 1000}, memory) is None


def test_command_that_fails_is_an_error_with_its_own_words(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=2, fps=10)
    with pytest.raises(ContestantError, match=r"model none: .*none\.ckpt: no such file"):
        measure_live_loop(tmp_path / "none.ckpt", clip, model="none", ticks=5, hz=10.0)


@pytest.mark.slow
def test_loop_of_the_shipped_weights_gives_every_figure(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=20, fps=1, size_hw=(480, 640))
    options = ("--warm-up", "0", "--device", "cpu")
    found = measure_live_loop(Path("sim-84"), clip, model="84x84", ticks=4, hz=0.5, options=options)
    assert (found.ticks, found.ok, found.ended) == (4, 4, "")
    assert 0 < found.infer_ms["p50"] <= found.age_ms["max"]
    assert found.memory_mib is None
