"""The presets plan what they promise, before anything is drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from wristseg.synth.clutter import draw_clutter
from wristseg.synth.contact import is_clear
from wristseg.synth.dataset_v0 import plan_clip, plan_dataset_v0
from wristseg.synth.holdout import plan_holdout
from wristseg.synth.lifelike import plan_lifelike
from wristseg.synth.look import SensorLook
from wristseg.synth.plan import child_seed
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import CLUTTER_SLOTS, Scene
from wristseg.synth.variety import DEFAULT_VARIETY, Choice, Range


@pytest.fixture(scope="module")
def scene():
    return Scene.build()


@pytest.fixture(scope="module")
def random_plans(scene):
    return plan_randomised(scene, frames=60, seed=3)


def test_five_recordings_have_their_counts_marks_and_flaws(scene):
    plans = plan_dataset_v0(scene, seed=1)
    counts = Counter(plan.stem.split("_frame_")[0] for plan in plans)
    assert counts == {
        "camera_rec0": 23,
        "camera_rec1": 9,
        "grasp_demo0": 43,
        "grasp_demo1": 47,
        "grasp_demo2": 48,
    }
    assert sum(plan.tag == "grasp" for plan in plans) == 26
    flaws = [plan.flaw for plan in plans if plan.flaw is not None]
    assert len(flaws) == len(set(flaws)) == 7
    assert all(plan.tag == "default" for plan in plans if plan.flaw is not None)
    assert all(plan.pose.held == (plan.tag == "grasp") for plan in plans)


def test_clips_have_the_frames_asked_for(scene):
    for name in ("grasp", "shadow"):
        plans = plan_clip(scene, name, frames=60, seed=0)
        assert len(plans) == 60
        assert all(plan.before is not None for plan in plans)
    assert any(plan.pose.held for plan in plan_clip(scene, "grasp", frames=60, seed=0))


def test_longer_plan_begins_with_the_shorter_one(scene, random_plans):
    assert plan_randomised(scene, frames=20, seed=3) == random_plans[:20]


@pytest.mark.parametrize("plan", [plan_randomised, plan_lifelike, plan_holdout])
def test_as_many_frames_as_asked_for_share_a_look(scene, plan):
    def looks(burst):
        plans = plan(scene, frames=6, seed=3, burst=burst)
        assert len(plans) == len({each.stem for each in plans}) == 6
        return [replace(each.look, sensor=SensorLook(), clutter=()) for each in plans]

    assert all(looks(1).count(look) == 1 for look in looks(1))
    assert [looks(2).count(look) for look in looks(2)] == [2] * 6


def test_another_seed_is_another_plan(scene, random_plans):
    assert plan_randomised(scene, frames=3, seed=4) != random_plans[:3]


def test_random_poses_are_clear_of_table_and_object(scene, random_plans):
    for plan in random_plans:
        scene.fit_fingers(soft=plan.look.soft_fingers)
        assert is_clear(scene, plan.look.obj, plan.pose, table=plan.look.table.present)


def test_random_looks_vary_in_all_that_matters(random_plans):
    looks = [plan.look for plan in random_plans]
    assert len({look.table.surface.kind for look in looks}) >= 4
    assert len({look.jaw_rgb for look in looks}) >= 10
    assert {plan.tag for plan in random_plans} == {"default", "grasp"}
    assert any(plan.pose.object_pos is None for plan in random_plans)
    assert any(np.cos(look.mount.side) < 0 for look in looks)
    assert any(np.cos(look.mount.side) > 0 for look in looks)
    assert any(len(look.clutter) == 0 for look in looks)
    assert any(light.spread == 0 for look in looks for light in look.lights)
    assert any(light.spread > 0 for look in looks for light in look.lights)


def test_clutter_keeps_away_from_fingertips_and_object(scene, random_plans):
    poses = [plan.pose for plan in random_plans[:3]]
    crowded = replace(DEFAULT_VARIETY, clutter=200, cable=0.0)
    things = draw_clutter(scene, poses, crowded, np.random.default_rng(0))
    assert 0 < len(things) <= CLUTTER_SLOTS
    for thing in things:
        for pose in poses:
            if pose.object_pos is not None:
                apart = np.hypot(*np.subtract(thing.position[:2], pose.object_pos[:2]))
                assert apart > np.hypot(*thing.half_size[:2]) + 0.05


def test_choice_follows_its_weights_and_range_its_ends():
    rng = np.random.default_rng(0)
    drawn = Counter(Choice((("a", 3), ("b", 1), ("c", 0))).draw(rng) for _ in range(2000))
    assert drawn["c"] == 0
    assert drawn["a"] / drawn["b"] == pytest.approx(3, rel=0.2)
    values = [Range(-1.0, 2.0).draw(rng) for _ in range(200)]
    assert -1.0 <= min(values) < -0.9
    assert 1.9 < max(values) <= 2.0


def test_child_seeds_differ_by_path_and_stay_the_same():
    assert child_seed(0, 1, 2) == child_seed(0, 1, 2)
    assert len({child_seed(0, 1), child_seed(0, 2), child_seed(0, 1, 1), child_seed(1, 1)}) == 4
