"""Copied objects bring their label along, lie on the table alone, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.data.paste import Paster

UNLABELED, BACKGROUND, TABLE, CUBE, FINGER = 0, 1, 2, 3, 5
TABLE_RGB, CUBE_RGB = (180, 180, 180), (250, 10, 10)


def frame(size_hw=(120, 160), cube_tlhw=(60, 70, 20, 24)):
    """A table below a wall, a finger at the left edge and a red cube."""
    height, width = size_hw
    mask = np.full(size_hw, TABLE, np.uint8)
    mask[: height // 4] = BACKGROUND
    mask[height // 2 :, : width // 5] = FINGER
    image = np.full((*size_hw, 3), TABLE_RGB, np.uint8)
    image[mask != TABLE] = (20, 20, 20)
    if cube_tlhw is not None:
        top, left, h, w = cube_tlhw
        mask[top : top + h, left : left + w] = CUBE
        image[mask == CUBE] = CUBE_RGB
    return image, mask


@pytest.fixture(scope="module")
def paster():
    return Paster.of_frames([frame()], DEFAULT_CLASSES, 1.0)


def pasted(paster, image, mask, seeds=60):
    for seed in range(seeds):
        got = paster.paste(image, mask, rng=np.random.default_rng(seed))
        if got[0] is not image:
            yield got


def test_what_is_labelled_cube_is_red_and_what_is_red_is_labelled_cube(paster):
    image, mask = frame(cube_tlhw=None)
    count = 0
    for got, got_mask in pasted(paster, image, mask):
        count += 1
        redness = got[..., 0].astype(int) - got[..., 1]
        assert redness[got_mask == CUBE].min() > 50  # the edge is one pixel soft
        assert np.mean(redness[got_mask == CUBE] > 200) > 0.75
        assert redness[got_mask != CUBE].max() < 160
        assert np.count_nonzero(got_mask == CUBE) == pytest.approx(480, rel=0.4)
    assert count > 40


def test_labels_change_from_table_to_cube_alone_and_fingers_keep_every_pixel(paster):
    image, mask = frame()
    for _, got_mask in pasted(paster, image, mask):
        changed = got_mask != mask
        assert changed.any()
        assert set(mask[changed]) == {TABLE}
        assert set(got_mask[changed]) == {CUBE}
        assert np.array_equal(got_mask == FINGER, mask == FINGER)


def test_far_from_the_object_the_image_stays_as_it_is(paster):
    image, mask = frame(cube_tlhw=None)
    for got, got_mask in pasted(paster, image, mask, seeds=20):
        rows, columns = np.nonzero(got_mask == CUBE)
        outside = np.ones(mask.shape, bool)
        outside[
            max(rows.min() - 14, 0) : rows.max() + 15,
            max(columns.min() - 14, 0) : columns.max() + 15,
        ] = 0
        assert np.array_equal(got[outside], image[outside])


def test_a_darker_table_gets_a_darker_object(paster):
    image, mask = frame(cube_tlhw=None)
    dark = (image * 0.7).astype(np.uint8)
    reds = [got[m == CUBE, 0].mean() for got, m in pasted(paster, dark, mask)]
    assert 0.62 * 250 < np.mean(reds) < 0.75 * 250


def test_a_frame_without_a_free_place_stays_as_it_is(paster):
    image, _ = frame()
    for label in (BACKGROUND, FINGER, CUBE, 255):
        mask = np.full(image.shape[:2], label, np.uint8)
        got = paster.paste(image, mask, rng=np.random.default_rng(0))
        assert got[0] is image
        assert got[1] is mask


def test_frames_are_not_written_into(paster):
    image, mask = frame()
    before = image.copy(), mask.copy()
    assert list(pasted(paster, image, mask, seeds=10))
    assert np.array_equal(image, before[0])
    assert np.array_equal(mask, before[1])


@pytest.mark.parametrize(
    ("cube_tlhw", "why"),
    [
        (None, "no cube"),
        ((60, 33, 20, 24), "beside a finger"),
        ((100, 70, 20, 24), "cut off by the frame"),
        ((31, 70, 20, 24), "against the wall"),
        ((60, 70, 3, 3), "too small"),
    ],
)
def test_only_a_whole_object_that_stands_free_is_copied(cube_tlhw, why):
    assert Paster.of_frames([frame(cube_tlhw=cube_tlhw)], DEFAULT_CLASSES, 1.0) is None, why


def test_other_class_tables_paste_nothing():
    order = ("floor", "ball")
    classes = ClassTable(
        ("unlabeled", *order), ((0, 0, 0),) * 3, {"default": order, "grasp": order}
    )
    assert Paster.of_frames([frame()], classes, 1.0) is None


def test_the_same_state_of_chance_pastes_the_same(paster):
    image, mask = frame(cube_tlhw=None)
    one, again = (paster.paste(image, mask, rng=np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one[0], again[0])
    assert np.array_equal(one[1], again[1])
