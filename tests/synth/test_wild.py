"""The preset beyond photographs: a look for every frame, in a room, with colours of all kinds."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.data.names import recording_of
from wristseg.synth.contact import is_clear
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import CLUTTER_SLOTS, Scene
from wristseg.synth.wild import plan_wild


@pytest.fixture(scope="module")
def scene():
    return Scene.build()


@pytest.fixture(scope="module")
def plans(scene):
    return plan_wild(scene, frames=60, seed=3)


def test_every_frame_has_a_look_and_a_recording_of_its_own(plans):
    assert len({recording_of(plan.stem) for plan in plans}) == len(plans)
    assert len({plan.look.table.surface.seed for plan in plans}) == len(plans)


def test_longer_plan_begins_with_the_shorter_one(scene, plans):
    assert plan_wild(scene, frames=8, seed=3) == plans[:8]


def test_frames_of_a_look_share_its_room(scene):
    first, second, other = plan_wild(scene, frames=3, seed=3, burst=2)
    assert first.look.clutter == second.look.clutter != other.look.clutter
    assert first.look.floor_z == second.look.floor_z != other.look.floor_z
    assert first.pose != second.pose


def test_colours_of_tables_lie_all_over_the_cube(plans):
    colors = np.array([plan.look.table.surface.base_rgb for plan in plans])
    assert (colors.std(axis=0) > 0.2).all()
    assert len({tuple(row) for row in (colors > 0.5).tolist()}) >= 7


def test_things_stand_on_the_floor_and_hang_above_the_camera(plans):
    things = [thing for plan in plans for thing in plan.look.clutter]
    hanging = [thing for thing in things if thing.position[2] > 0.39]
    standing = [
        thing
        for plan in plans
        for thing in plan.look.clutter
        if np.isclose(thing.position[2] - thing.half_size[2], plan.look.floor_z)
    ]
    assert len(hanging) > 30
    assert len(standing) > 60
    assert all(len(plan.look.clutter) <= CLUTTER_SLOTS for plan in plans)


def test_room_of_the_other_presets_is_as_bare_as_it_was(scene):
    looks = [plan.look for plan in plan_randomised(scene, frames=6, seed=3)]
    assert {look.floor_z for look in looks} == {-0.75}
    assert {look.clutter_surface.kind for look in looks} == {"plain"}


def test_poses_are_clear_of_table_and_object(scene, plans):
    for plan in plans:
        scene.fit_fingers(soft=plan.look.soft_fingers)
        assert is_clear(scene, plan.look.obj, plan.pose, table=plan.look.table.present)
