"""The table of goals follows from the figures, and says no where they fall short."""

from __future__ import annotations

import pytest

from wristseg.benchmark.goals import find_goals
from wristseg.benchmark.page import goal_lines, live_lines
from wristseg.benchmark.results import (
    Agreement,
    LiveTiming,
    Load,
    PageTiming,
    Prediction,
    Results,
    Tail,
    Work,
)
from wristseg.benchmark.summary import miss_shares, summarize


def prediction(contestant, seconds, size="640x480"):
    return Prediction(
        contestant, contestant, size, size, summarize(seconds), miss_shares(seconds), ()
    )


def work(name, contestant, seconds, unit="frame"):
    return Work(name, contestant, unit, summarize([seconds]), 10)


@pytest.fixture
def results():
    return Results(
        machine={},
        versions={},
        git_commit=None,
        started="",
        options={},
        sizes=("640x480", "84x84"),
        runtime={"640x480": "onnxruntime", "84x84": "openvino"},
        gemm_gflops={"torch": 100.0, "numpy": 200.0},
        gmacs={"640x480": 1.0},
    )


def goals_of(results):
    return {goal.work: goal for goal in find_goals(results)}


def test_a_ratio_is_that_of_the_medians_with_the_runtime_that_wristseg_picked(results):
    results.predictions = [
        prediction("plain/torch", [0.100, 0.160, 0.300]),
        prediction("wristseg/onnxruntime", [0.019, 0.020, 0.022]),
        prediction("wristseg/openvino", [0.001]),
    ]
    goal = goals_of(results)["predict a frame, model 640x480"]
    assert goal.value == pytest.approx(8.0)
    assert goal.value_text == "8.0x"
    assert (goal.reached, goal.aim_reached) == (True, False)


def test_the_floor_is_twice_the_multiplications_at_the_best_measured_rate(results):
    # 2 x 1.0 GMAC at 200 GFLOP/s are 10 ms; 15 ms are half as long again, and too long.
    results.predictions = [prediction("wristseg/onnxruntime", [0.015])]
    (goal,) = [goal for goal in find_goals(results) if "floor" in goal.work]
    assert goal.value == pytest.approx(1.5)
    assert not goal.reached
    assert "10 ms" in goal.work


def test_a_long_tail_misses_its_goal(results):
    quiet, busy = summarize([0.010] * 100), summarize([0.010] * 90 + [0.030] * 10)
    results.tails = [Tail("wristseg/onnxruntime", "640x480", (busy, quiet, busy))]
    goal = goals_of(results)["p99 / p50 of predict, model 640x480"]
    assert goal.value == pytest.approx(3.0)
    assert not goal.reached


def test_loading_counts_with_wristseg_choosing_its_runtime(results):
    for name, seconds in (("wristseg/auto", 2.0), ("wristseg/onnxruntime", 0.5)):
        results.loads.append(Load(name, name, "640x480", summarize([seconds]), None))
    results.loads.append(Load("plain/torch", "plain", "640x480", summarize([8.0]), None))
    goals = goals_of(results)
    assert goals["load to the first mask, fresh process"].value == pytest.approx(4.0)
    assert not goals["load to the first mask"].reached


def test_a_clip_is_held_against_predicting_alone(results):
    results.works = [
        work("clip", "wristseg", 0.020),
        work("clip", "plain", 0.200),
        work("clip, model only", "wristseg", 0.019),
    ]
    goals = goals_of(results)
    assert goals["clip to overlay mp4"].value == pytest.approx(10.0)
    share = goals["clip, share of the model-only rate"]
    assert share.value == pytest.approx(0.95)
    assert share.reached


def test_labels_count_by_the_worst_runtime_and_val_iou_by_the_largest_gap(results):
    results.agreements = [
        Agreement("wristseg/torch", "640x480", 5, 1.0, 1.0, 0.8, 0.8),
        Agreement("wristseg/openvino", "640x480", 5, 0.9998, 0.999, 0.803, 0.8),
    ]
    goals = goals_of(results)
    assert goals["labels equal to the plain fp32 forward pass"].value == pytest.approx(0.9998)
    assert not goals["labels equal to the plain fp32 forward pass"].reached
    assert not goals["val/iou beside the plain one"].reached


def test_rows_without_figures_are_not_there_and_missed_goals_say_so(results):
    assert find_goals(results) == []
    results.works = [
        work("training 640x480", "wristseg", 30.0, "epoch"),
        work("training 640x480", "plain", 90.0, "epoch"),
    ]
    results.goals = find_goals(results)
    lines = goal_lines(results)
    assert lines[0].startswith("| work | plain | wristseg |")
    assert lines[2:] == [
        "| training epoch 640x480, batch 4 | 90.00 s | 30.00 s | 3.0x | 4.0x | 6.0x | **no** |"
    ]


def page_timing(usable, key):
    start = summarize([0.5])
    return PageTiming(1000, "chromium 140", start, summarize(usable), summarize(key))


def test_review_page_must_be_usable_within_two_seconds_and_follow_keys_within_100_ms(results):
    results.review_page = page_timing([1.0, 1.5, 9.0], [0.02] * 20)
    usable, key = goals_of(results).values()
    assert (usable.value_text, usable.reached) == ("1.50 s", True)
    assert (key.value_text, key.reached) == ("20 ms", True)
    results.review_page = page_timing([2.1], [0.02] * 10 + [0.15] * 10)
    assert [goal.reached for goal in goals_of(results).values()] == [False, False]


def test_review_page_that_was_not_measured_has_no_goals_and_no_section(results):
    assert goals_of(results) == {}


def live_timing(**values):
    usual = {
        "model": "84x84", "hz": 30.0, "ticks": 2000, "ok": 1995,
        "age_ms": {"p50": 5.0, "p95": 6.0, "p99": 60.0, "max": 90.0},
        "infer_ms": {"p50": 3.0, "p99": 5.0}, "total_p99_ms": 6.5,
        "missed": 0.004, "dropped": 0.0, "memory_mib": (200.0, 208.0),
    }  # fmt: skip
    return LiveTiming(**{**usual, **values})


@pytest.mark.parametrize(
    ("values", "fails"),
    [
        ({}, []),
        ({"age_ms": {"p50": 5.0, "p95": 6.0, "p99": 67.0, "max": 90.0}}, ["p99 of the age"]),
        ({"missed": 0.011}, ["deadlines missed"]),
        ({"memory_mib": (200.0, 211.0)}, ["memory grows"]),
        ({"memory_mib": None}, []),
        ({"model": "640x480", "missed": 0.5}, []),
    ],
)
def test_live_loop_of_the_small_model_has_to_keep_age_deadlines_and_memory(results, values, fails):
    results.live_loops = [live_timing(**values)]
    missed = [goal.work for goal in find_goals(results) if not goal.reached]
    assert [name for work in missed for name in fails if work.endswith(name)] == fails
    assert len(missed) == len(fails)


def test_live_table_says_how_many_ticks_had_a_new_mask_and_that_a_loop_ended_early():
    row = live_lines([live_timing(ended="watchdog")])[-1]
    assert "| 0.40% of 33.3 ms | 0.00% | 1995 of 2000, ended early | 200, 208 MiB |" in row
