"""The preset that is nearer to photographs keeps within ``randomised`` and apart from it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from wristseg.data.names import recording_of
from wristseg.synth.contact import is_clear
from wristseg.synth.lifelike import LIFELIKE_VARIETY, plan_lifelike
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import Scene
from wristseg.synth.variety import DEFAULT_VARIETY, Range


@pytest.fixture(scope="module")
def scene():
    return Scene.build()


@pytest.fixture(scope="module")
def plans(scene):
    return plan_lifelike(scene, frames=60, seed=3)


def _ranges(variety):
    parts = (variety, variety.light, variety.mount, variety.sensor, variety.obj)
    return {
        (type(part).__name__, field.name): value
        for part in parts
        for field in fields(part)
        if isinstance(value := getattr(part, field.name), Range)
    }


def test_every_range_lies_within_the_one_of_randomised_but_that_of_the_contrast():
    theirs = _ranges(DEFAULT_VARIETY)
    outside = [
        name
        for (_, name), mine in _ranges(LIFELIKE_VARIETY).items()
        for other in [theirs[_, name]]
        if mine.low < other.low or mine.high > other.high
    ]
    assert outside == ["table_contrast"]


def test_each_burst_is_a_recording_and_no_name_is_one_of_randomised(scene, plans):
    recordings = [recording_of(plan.stem) for plan in plans]
    assert all(recordings.count(name) == 3 for name in set(recordings))
    assert not {plan.stem for plan in plans} & {
        plan.stem for plan in plan_randomised(scene, frames=6, seed=3)
    }


def test_same_seed_draws_other_numbers_than_randomised(scene, plans):
    theirs = {plan.seed for plan in plan_randomised(scene, frames=60, seed=3)}
    assert not theirs & {plan.seed for plan in plans}


def test_longer_plan_begins_with_the_shorter_one(scene, plans):
    assert plan_lifelike(scene, frames=8, seed=3) == plans[:8]


def test_tables_are_mostly_without_strong_colour(plans):
    tables = np.array([plan.look.table.surface.base_rgb for plan in plans[::3]])
    assert np.median(tables.max(axis=1) - tables.min(axis=1)) < 0.35


def test_poses_are_clear_of_table_and_object(scene, plans):
    for plan in plans:
        scene.fit_fingers(soft=plan.look.soft_fingers)
        assert is_clear(scene, plan.look.obj, plan.pose, table=plan.look.table.present)
