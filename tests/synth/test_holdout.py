"""The preset for measuring shows what no preset for training does, where that is promised."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from wristseg.data.names import recording_of
from wristseg.synth.dataset_v0 import plan_dataset_v0
from wristseg.synth.holdout import HOLDOUT_VARIETY, LIGHT_SETUPS, plan_holdout
from wristseg.synth.lifelike import LIFELIKE_VARIETY, plan_lifelike
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import LIGHT_SLOTS, Scene
from wristseg.synth.variety import DEFAULT_VARIETY
from wristseg.synth.wild import WILD_VARIETY, plan_wild

_TRAINING = (DEFAULT_VARIETY, LIFELIKE_VARIETY, WILD_VARIETY)
#: Distance in RGB (0-1) of the nearest listed colours; both sides scatter around theirs.
_LEAST_APART = 0.2


@pytest.fixture(scope="module")
def scene():
    return Scene.build()


@pytest.fixture(scope="module")
def plans(scene):
    return plan_holdout(scene, frames=60, seed=0)


@pytest.fixture(scope="module")
def looks(plans):
    return [plan.look for plan in plans[::5]]


@pytest.fixture(scope="module")
def training_looks(scene):
    randomised = plan_randomised(scene, frames=90, seed=1)
    lifelike = plan_lifelike(scene, frames=60, seed=1)
    wild = plan_wild(scene, frames=40, seed=1)
    dataset_v0 = plan_dataset_v0(scene, seed=0)
    return [plan.look for plan in [*randomised[::3], *lifelike[::3], *wild, *dataset_v0]]


def _values(choice):
    return [value for value, _ in choice.weights]


def _apart(colors, others):
    gaps = np.subtract(np.array(colors)[:, None], np.array(others)[None])
    return np.linalg.norm(gaps, axis=2).min()


def _apart_in_range(mine, theirs):
    return mine.low > theirs.high or mine.high < theirs.low


def test_each_recording_is_one_look_and_is_named_after_its_light(plans):
    recordings = Counter(recording_of(f"{plan.stem}.jpg") for plan in plans)
    assert set(recordings.values()) == {5}
    assert sorted(recordings) == sorted(
        f"holdout_{n}{i:02d}" for n in LIGHT_SETUPS for i in (0, 1, 2)
    )
    tables = {recording_of(plan.stem): plan.look.table for plan in plans}
    assert all(plan.look.table == tables[recording_of(plan.stem)] for plan in plans)
    assert len({table.surface.seed for table in tables.values()}) == len(recordings)


def test_longer_plan_begins_with_the_shorter_one(scene, plans):
    assert plan_holdout(scene, frames=8, seed=0) == plans[:8]


def test_same_seed_draws_other_numbers_than_randomised(scene, plans):
    theirs = {plan.seed for plan in plan_randomised(scene, frames=60, seed=0)}
    assert not theirs & {plan.seed for plan in plans}


def test_table_patterns_are_none_of_the_training_presets(looks, training_looks):
    def kinds(many):
        return {s.kind for look in many for s in (look.table.surface, look.floor, look.wall)}

    assert not kinds(looks) & kinds(training_looks)
    for theirs in _TRAINING:
        assert not set(_values(HOLDOUT_VARIETY.table_kind)) & set(_values(theirs.table_kind))


def test_object_patterns_are_none_of_the_training_presets(looks, training_looks):
    theirs = {look.obj.surface.kind for look in training_looks}
    assert not theirs & {look.obj.surface.kind for look in looks}


def test_listed_colours_are_apart_from_those_of_the_training_presets(training_looks):
    for name in ("filament", "table_color"):
        for variety in _TRAINING:
            mine, theirs = (_values(getattr(v, name)) for v in (HOLDOUT_VARIETY, variety))
            assert _apart(mine, theirs) >= _LEAST_APART, name
    jaws = {look.jaw_rgb for look in training_looks if not look.soft_fingers}
    assert _apart(_values(HOLDOUT_VARIETY.filament), list(jaws)) > 0.0


def test_drawn_jaws_stay_near_the_listed_colours(looks):
    listed = _values(HOLDOUT_VARIETY.filament)
    for look in looks:
        for color in (look.jaw_rgb, look.moving_jaw_rgb):
            assert _apart([color], listed) < _LEAST_APART / 2


def _strength(rgb):
    """How strong a colour is: 0 for grey, 1 without light of the opposite hue (see objects)."""
    swing = np.sqrt(2 / 3 * np.sum((np.array(rgb) - np.mean(rgb)) ** 2))
    return 2 * swing / (np.mean(rgb) + swing)


def test_object_colours_are_pastel_where_training_has_strong_ones_and_greys(scene, looks):
    drawn = [*plan_randomised(scene, frames=60, seed=1)[::3], *plan_wild(scene, frames=20, seed=1)]
    mine = [_strength(rgb) for look in looks for rgb in look.obj.colors]
    theirs = np.array([_strength(rgb) for plan in drawn for rgb in plan.look.obj.colors])
    assert min(mine) > 0.19
    assert max(mine) < 0.46
    assert np.all((theirs < 0.16) | (theirs > 0.49))


def test_objects_have_forms_that_training_does_not_draw(looks, training_looks):
    def is_new(obj):
        return (
            any(solid.shape == "capsule" for solid in obj.solids)
            or any(abs(solid.offset[1]) > 0.0061 for solid in obj.solids)
            or max(obj.solids[0].half_size) / obj.solids[0].half_size[0] > 3.5
        )

    assert all(is_new(look.obj) for look in looks)
    assert not any(
        solid.shape == "capsule" or abs(solid.offset[1]) > 0.0061
        for look in training_looks
        for solid in look.obj.solids
    )


def test_mounts_sit_elsewhere_and_turned_otherwise_on_both_sides(looks, training_looks):
    def turned(look):
        return abs(np.angle(np.exp(2j * look.mount.side)) / 2)  # from the nearer of the two sides

    mine = [look.mount.distance for look in looks]
    theirs = np.array([look.mount.distance for look in training_looks])
    assert not np.any((theirs > min(mine) - 0.001) & (theirs < max(mine) + 0.001))
    assert all(0.26 < turned(look) < 0.5 for look in looks)
    main_sides = [abs(np.sin(look.mount.side)) < 0.8 for look in training_looks]
    theirs = [turned(look) for look, main in zip(training_looks, main_sides, strict=True) if main]
    assert max(theirs) < 0.26
    assert {np.cos(look.mount.side) > 0 for look in looks} == {True, False}


def test_sensors_sharpen_compress_and_tint_as_none_in_training_does(looks, training_looks):
    assert all(look.sensor.sharpen > 0 for look in looks)
    assert all(look.sensor.sharpen == 0 for look in training_looks)
    for variety in _TRAINING:
        mine, theirs = HOLDOUT_VARIETY.sensor, variety.sensor
        assert _apart_in_range(mine.tint, theirs.tint)
        assert _apart_in_range(mine.jpeg_quality, theirs.jpeg_quality)


@pytest.mark.parametrize("theirs", [variety.light for variety in _TRAINING])
def test_each_light_differs_from_training_in_what_it_is_named_after(theirs):
    side, warm, window, spot = (LIGHT_SETUPS[n] for n in ("side", "warm", "window", "spot"))
    # Height over distance: how steeply the light falls.
    assert side.height.high / side.away.low < theirs.height.low / theirs.away.high
    assert warm.warmth[0] - 3 * warm.warmth[1] > 3 * theirs.warmth[1]
    assert window.spread.low > theirs.spread.high
    assert spot.cutoff_deg.high < theirs.cutoff_deg.low


def test_soft_lamps_fit_into_the_scene(looks):
    for look in looks:
        slots = sum(light.samples if light.spread else 1 for light in look.lights)
        assert 1 <= slots <= LIGHT_SLOTS


def test_most_frames_show_an_object_and_some_hold_it(plans):
    shown = [plan.pose.object_pos is not None for plan in plans]
    assert 0.75 < np.mean(shown) < 1.0
    assert 5 <= sum(plan.tag == "grasp" for plan in plans) <= 40
