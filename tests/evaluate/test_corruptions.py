"""Corruptions: severity 0 is the frame itself, the same seed the same event, more is worse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wristseg.evaluate.corruptions import CORRUPTIONS, SEVERITIES, Scene, corrupt

HW = (120, 160)


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    label = np.full(HW, 2, np.uint8)
    label[:30] = 1
    label[60:85, 70:95] = 3
    label[80:, 20:40] = 4
    coarse = rng.integers(60, 190, (HW[0] // 8, HW[1] // 8, 3))
    frame = np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)
    return Scene(frame, label, table_id=2, object_id=3)


def damage(scene, name, severity, **options):
    bad = corrupt(scene, name, severity, stem="demo_frame_1", **options)
    return np.abs(bad.frame_rgb.astype(int) - scene.frame_rgb).mean()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_0_is_the_frame_itself(scene, name):
    bad = corrupt(scene, name, 0, stem="demo_frame_1")
    assert np.array_equal(bad.frame_rgb, scene.frame_rgb)
    assert bad.hidden is None or not bad.hidden.any()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_severity_does_more_damage_than_the_one_before(scene, name, seed):
    done = [damage(scene, name, severity, seed=seed) for severity in (0, *SEVERITIES)]
    assert all(more > less for less, more in itertools.pairwise(done)), done


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_same_seed_and_frame_make_the_same_event(scene, name):
    first, again = (corrupt(scene, name, 4, stem="a", seed=5).frame_rgb for _ in "12")
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", ["shadow, soft", "shadow of the arm", "occlusion", "sensor noise"])
def test_frames_and_seeds_have_events_of_their_own(scene, name):
    frames = [
        corrupt(scene, name, 4, stem=stem, seed=seed).frame_rgb
        for stem, seed in (("a", 0), ("b", 0), ("a", 1))
    ]
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])


@pytest.mark.parametrize("name", ["shadow, soft", "shadow of the arm"])
def test_shadow_falls_on_table_and_object_and_only_there(scene, name):
    bad = corrupt(scene, name, 5, stem="demo_frame_1")
    changed = (bad.frame_rgb != scene.frame_rgb).any(axis=2)
    assert set(np.unique(scene.label[changed])) == {2, 3}
    assert (bad.frame_rgb <= scene.frame_rgb).all()
    assert set(np.unique(scene.label[bad.shadowed])) == {2, 3}


@pytest.mark.parametrize("name", ["shadow, soft", "shadow of the arm"])
def test_shadow_lies_across_object_and_table_wherever_they_are(scene, name):
    for left in (2, 70, 130):
        label = np.full(HW, 2, np.uint8)
        label[60:85, left : left + 25] = 3
        moved = Scene(scene.frame_rgb, label, table_id=2, object_id=3)
        for seed in range(10):
            bad = corrupt(moved, name, 5, stem="demo_frame_1", seed=seed)
            assert (label[bad.shadowed] == 3).sum() > 60
            assert (label[bad.shadowed] == 2).sum() > 400


def test_shadow_has_soft_edges(scene):
    flat = Scene(np.full((*HW, 3), 200, np.uint8), scene.label, table_id=2, object_id=3)
    levels = np.unique(corrupt(flat, "shadow, soft", 5, stem="demo_frame_1").frame_rgb)
    assert len(levels) > 10


def test_shadow_falls_on_everything_where_no_class_is_the_table(scene):
    plain = Scene(scene.frame_rgb, scene.label, table_id=None, object_id=None)
    bad = corrupt(plain, "shadow, soft", 5, stem="demo_frame_1")
    assert bad.shadowed.any()


def test_patch_hides_what_it_covers_and_nothing_else(scene):
    bad = corrupt(scene, "occlusion", 3, stem="demo_frame_1")
    assert (bad.frame_rgb[bad.hidden] == 128).all()
    assert np.array_equal(bad.frame_rgb[~bad.hidden], scene.frame_rgb[~bad.hidden])


def test_damage_is_finite_on_black_and_white(scene):
    for level in (0, 255):
        flat = Scene(np.full((*HW, 3), level, np.uint8), scene.label, table_id=2, object_id=3)
        for name in CORRUPTIONS:
            assert corrupt(flat, name, 5, stem="x").frame_rgb.dtype == np.uint8
