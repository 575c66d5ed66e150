"""What is counted where label and prediction lie over each other."""

from __future__ import annotations

import numpy as np
import pytest

from tests.labeling.qa_scenes import (
    BACKGROUND,
    CUBE,
    MOVING,
    STATIC,
    TABLE,
    called,
    probabilities,
    shifted,
    true_mask,
)
from wristseg.labeling.qa_measure import least_pixels, measure


def test_by_hand_shares_leave_class_0_out():
    """Two pixels labelled 1: the model says 0.6 and 0.2 of it, and half of the first is class 0."""
    label = np.array([[1, 1]], np.uint8)
    said = np.array([[[0.5, 0.0]], [[0.3, 0.2]], [[0.2, 0.8]]], np.float32)
    found = measure(label, said)
    assert found.shares[1] == pytest.approx([0.0, 0.4, 0.6])
    assert np.isnan(found.shares[2]).all()
    assert found.labelled.tolist() == [0, 2, 0]
    assert found.predicted.tolist() == [0, 1, 1]
    assert found.iou[1:].tolist() == [0.5, 0.0]
    assert np.isnan(found.iou[0])


def test_perfect_label_has_no_region_that_is_not_labelled():
    mask = true_mask()
    found = measure(mask, probabilities(mask))
    assert found.regions == ()
    assert np.nanmin(found.iou[1:]) > 0.9
    assert np.nanmax(np.abs(found.centres_xy[0] - found.centres_xy[1])) < 0.01


@pytest.mark.parametrize("under", [TABLE, 0])
def test_region_that_is_not_labelled_is_found_with_what_lies_under_it(under):
    mask = true_mask()
    (region,) = measure(called(mask, CUBE, under), probabilities(mask)).regions
    assert (region.class_id, region.under, region.labelled) == (CUBE, under, 0.0)
    assert region.sure > 0.8
    assert region.pixels == pytest.approx(144, rel=0.1)
    assert region.weight == region.pixels * region.sure


def test_region_of_which_half_is_labelled_is_none():
    mask = true_mask()
    assert measure(shifted(mask, CUBE, right=6, down=0), probabilities(mask)).regions == ()


def test_specks_are_no_regions():
    mask = true_mask()
    dotted = mask.copy()
    dotted[5:8, 5:8] = CUBE
    assert measure(mask, probabilities(dotted, blur=0.5)).regions == ()
    assert least_pixels(84 * 84) == 12
    assert least_pixels(480 * 640) == 512


def test_ignored_pixels_count_nowhere():
    mask = true_mask()
    label = mask.copy()
    label[:40] = 255
    found = measure(label, probabilities(mask))
    assert found.pixels == 44 * 84
    assert found.labelled[BACKGROUND] == found.predicted[BACKGROUND] == 0


def test_gain_of_another_order_is_that_of_the_changed_pixels():
    mask = true_mask()
    over = mask.copy()
    over[60:70, 58:70] = CUBE
    under = over.copy()
    under[mask == STATIC] = STATIC
    (right,) = measure(under, probabilities(over), others={"grasp": over}).orders
    (wrong,) = measure(over, probabilities(over), others={"default": under}).orders
    assert right.pixels == wrong.pixels == int((over != under).sum())
    assert right.gain == pytest.approx(-wrong.gain)
    assert right.gain > 0.6
    assert measure(over, probabilities(over), others={"default": over}).orders == ()


def test_class_that_only_the_label_has_is_counted():
    mask = true_mask()
    found = measure(mask, probabilities(called(mask, MOVING, TABLE)))
    assert found.predicted[MOVING] == 0
    assert found.iou[MOVING] == 0.0
    assert found.shares[MOVING].argmax() == TABLE
