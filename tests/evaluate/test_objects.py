"""Found, missed, false, and how far off: what a robot that reaches for the object needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import UsageError
from wristseg.evaluate.objects import judge_object, least_pixels, object_id_of

HW = (100, 200)  # on frames of this size an object has at least 10 pixels


def mask_with(*boxes):
    """Boxes of class 3 (top, left, height, width) on a table."""
    mask = np.full(HW, 2, np.uint8)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = 3
    return mask


def test_overlap_of_half_is_found_and_less_is_missed():
    label = mask_with((20, 20, 20, 20))
    assert judge_object(mask_with((20, 20, 10, 20)), label, 3).found
    missed = judge_object(mask_with((20, 20, 9, 20)), label, 3)
    assert (missed.labelled, missed.found, missed.false_regions) == (True, False, 0)


def test_region_beside_a_found_object_is_false():
    label = mask_with((20, 20, 20, 20))
    result = judge_object(mask_with((20, 20, 20, 20), (70, 150, 5, 5)), label, 3)
    assert (result.found, result.false_regions) == (True, 1)


def test_specks_are_no_false_objects():
    assert least_pixels(HW) == 10
    empty = mask_with()
    assert judge_object(mask_with((70, 150, 3, 3)), empty, 3).false_regions == 0
    assert judge_object(mask_with((70, 150, 2, 5), (10, 10, 5, 5)), empty, 3).false_regions == 2


def test_label_too_small_to_judge_is_neither_found_nor_missed():
    result = judge_object(mask_with(), mask_with((20, 20, 3, 3)), 3)
    assert (result.labelled, result.too_small, result.found) == (False, True, False)


def test_centroid_error_is_in_pixels_of_the_frame():
    result = judge_object(mask_with((24, 23, 20, 20)), mask_with((20, 20, 20, 20)), 3)
    assert result.error_px == pytest.approx(5.0)
    assert math.isnan(judge_object(mask_with(), mask_with((20, 20, 20, 20)), 3).error_px)


def test_what_is_ignored_is_not_called_false():
    label = mask_with()
    label[60:90, 140:180] = 255
    assert judge_object(mask_with((70, 150, 5, 5)), label, 3).false_regions == 0


def test_object_is_the_cube_unless_another_class_is_named():
    assert object_id_of(DEFAULT_CLASSES, None) == 3
    assert object_id_of(DEFAULT_CLASSES, "Static Finger") == 4
    with pytest.raises(UsageError, match="--object-class cup: the model's classes are unlabeled"):
        object_id_of(DEFAULT_CLASSES, "cup")
