"""Each kind of mistake, made on purpose in one frame of a clean set, is found and named rightly."""

from __future__ import annotations

import numpy as np
import pytest

from tests.labeling.qa_scenes import (
    BACKGROUND,
    CUBE,
    MOVING,
    NAMES,
    STATIC,
    TABLE,
    all_shifted,
    boxed,
    called,
    probabilities,
    shifted,
    swapped,
    true_mask,
    true_masks,
)
from wristseg.labeling.qa_judge import Finding, judge, suspicion
from wristseg.labeling.qa_measure import measure

BAD = 5
FLAWS = {
    "fingers swapped": (lambda m: swapped(m, STATIC, MOVING), "class swapped", {STATIC, MOVING}),
    "table and background swapped": (
        lambda m: swapped(m, TABLE, BACKGROUND),
        "class swapped",
        {TABLE, BACKGROUND},
    ),
    "finger not drawn": (lambda m: called(m, MOVING, 0), "part missing", {MOVING}),
    "cube called table": (lambda m: called(m, CUBE, TABLE), "part missing", {CUBE, TABLE}),
    "cube beside itself": (lambda m: shifted(m, CUBE, right=10, down=4), "outline off", {CUBE}),
    "all outlines shifted": (all_shifted, "outline off", {CUBE, STATIC, MOVING}),
    "finger boxed": (lambda m: boxed(m, STATIC), "outline off", {STATIC}),
}


def judged(labels, predictions, *, recordings=None, others=None):
    others = others or [{}] * len(labels)
    measured = [
        measure(label, prediction, others=other)
        for label, prediction, other in zip(labels, predictions, others, strict=True)
    ]
    # All look alike but for a number, so that the frames most like one are its neighbours.
    looks = np.linspace(0, 1, len(labels), dtype=np.float32)[:, None]
    return judge(measured, recordings or ["a"] * len(labels), looks, NAMES)


def predictions_of(masks, **options):
    return [probabilities(mask, seed=i, **options) for i, mask in enumerate(masks)]


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaw_is_found_named_and_alone(flaw):
    spoil, kind, classes = FLAWS[flaw]
    masks = true_masks()
    labels = [spoil(mask) if i == BAD else mask for i, mask in enumerate(masks)]
    found = judged(labels, predictions_of(masks))
    suspicions = [suspicion(findings) for findings in found]
    assert int(np.argmax(suspicions)) == BAD
    worst = found[BAD][0]
    assert worst.kind == kind
    assert set(worst.classes) <= classes
    assert worst.score > 0.5
    assert all(NAMES[class_id] in worst.said for class_id in worst.classes[:1])
    assert max(s for i, s in enumerate(suspicions) if i != BAD) < 0.1


def test_clean_labels_raise_no_suspicion():
    masks = true_masks(count=30)
    assert max(map(suspicion, judged(masks, predictions_of(masks)))) < 0.1


def test_a_blurry_model_blames_no_frame():
    masks = true_masks(count=20)
    assert max(map(suspicion, judged(masks, predictions_of(masks, blur=6.0)))) < 0.2


def test_a_model_that_always_swaps_the_fingers_blames_no_frame():
    """What a model does on every frame is the model's mistake."""
    masks = true_masks()
    wrong = [swapped(mask, STATIC, MOVING) for mask in masks]
    assert max(map(suspicion, judged(masks, predictions_of(wrong)))) < 0.1


def test_a_model_that_fails_on_a_stretch_of_frames_blames_none_of_them():
    masks = true_masks(count=30)
    wrong = [called(mask, CUBE, STATIC) if i < 7 else mask for i, mask in enumerate(masks)]
    assert max(map(suspicion, judged(masks, predictions_of(wrong)))) < 0.3


def test_each_recording_is_measured_by_itself():
    """A model that is bad on one recording neither hides nor invents mistakes there."""
    masks = true_masks(count=24)
    recordings = ["good"] * 12 + ["bad"] * 12
    predictions = predictions_of(masks[:12]) + predictions_of(masks[12:], blur=5.0)
    clean = judged(masks, predictions, recordings=recordings)
    assert max(map(suspicion, clean)) < 0.2
    labels = [called(mask, CUBE, TABLE) if i == 3 else mask for i, mask in enumerate(masks)]
    found = judged(labels, predictions, recordings=recordings)
    assert int(np.argmax([suspicion(findings) for findings in found])) == 3


def test_where_a_shifted_outline_lies_is_told():
    masks = true_masks()
    labels = list(masks)
    labels[BAD] = shifted(masks[BAD], CUBE, right=10, down=4)
    said = judged(labels, predictions_of(masks))[BAD][0].said
    assert "12% of the width to the right of and 5% of the height below the predicted one" in said


def test_frame_drawn_in_the_wrong_order_is_found():
    """The cube is held: it covers a part of the finger, which the label draws over it."""
    masks = true_masks()
    held = [mask.copy() for mask in masks]
    for mask in held:
        mask[60:70, 58:70] = CUBE
    drawn_under = [mask.copy() for mask in held]
    for mask, truth in zip(drawn_under, masks, strict=True):
        mask[truth == STATIC] = STATIC
    labels = [
        under if i == BAD else mask
        for i, (mask, under) in enumerate(zip(held, drawn_under, strict=True))
    ]
    others = [{"default": under} for under in drawn_under]
    others[BAD] = {"grasp": held[BAD]}
    found = judged(labels, predictions_of(held), others=others)
    order = [finding for finding in found[BAD] if finding.kind == "order wrong"]
    assert order
    assert order[0].score > 0.5
    assert "'grasp'" in order[0].said
    assert max(suspicion(f) for i, f in enumerate(found) if i != BAD) < 0.1


def test_ignored_and_undrawn_pixels_are_not_judged():
    masks = true_masks()
    labels = list(masks)
    labels[BAD] = np.full_like(masks[BAD], 255)
    assert judged(labels, predictions_of(masks))[BAD] == ()


def test_a_class_of_one_frame_alone_is_not_compared_with_nothing():
    masks = [called(mask, CUBE, TABLE) for mask in true_masks()]
    masks[BAD] = true_mask()
    assert suspicion(judged(masks, predictions_of(masks))[BAD]) < 0.1
    assert judged([true_mask()], predictions_of([true_mask()])) == [()]


def test_nothing_is_judged_of_no_frames():
    assert judge([], [], np.empty((0, 1), np.float32), NAMES) == []


def test_suspicion_is_that_of_the_worst_finding():
    findings = [Finding("outline off", (CUBE,), score, "") for score in (0.3, 0.7)]
    assert suspicion(findings) == 0.7
    assert suspicion([]) == 0.0
