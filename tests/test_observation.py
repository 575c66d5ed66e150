"""The observation contract: what it holds, what it refuses, how it is stored."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given

from tests.contracts import contracts, few
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError
from wristseg.observation import ObservationContract

SHIFTED = {
    "unlabeled": 0,
    "background": 0,
    "table": 1,
    "cube": 2,
    "static_finger": 3,
    "moving_finger": 4,
}


def test_default_is_three_frames_of_ids_at_84x84():
    contract = ObservationContract()
    assert contract.shape(DEFAULT_CLASSES) == (3, 1, 84, 84)
    assert contract.highest(DEFAULT_CLASSES) == 5
    assert contract.policy_ids(DEFAULT_CLASSES).tolist() == [0, 1, 2, 3, 4, 5]


def test_class_map_drops_a_class_and_shifts_the_others():
    contract = ObservationContract(class_map=SHIFTED)
    assert contract.policy_ids(DEFAULT_CLASSES).tolist() == [0, 0, 1, 2, 3, 4]
    assert contract.levels(DEFAULT_CLASSES).tolist() == [0, 1, 2, 3, 4]


def test_spread_ids_reach_as_far_as_uint8_allows():
    contract = ObservationContract(class_map=SHIFTED, range="spread")
    assert contract.levels(DEFAULT_CLASSES).tolist() == [0, 63, 126, 189, 252]


def test_one_hot_has_a_channel_per_policy_id():
    contract = ObservationContract(class_map=SHIFTED, channels="one-hot", range="spread", stack=2)
    assert contract.shape(DEFAULT_CLASSES) == (2, 5, 84, 84)
    assert contract.highest(DEFAULT_CLASSES) == 255


def test_class_map_is_matched_by_folded_name_and_not_by_order():
    turned = dict(reversed([(name.upper().replace("_", "-"), i) for name, i in SHIFTED.items()]))
    ids = ObservationContract(class_map=turned).policy_ids(DEFAULT_CLASSES)
    assert ids.tolist() == [0, 0, 1, 2, 3, 4]


@few
@given(contract=contracts())
def test_contract_survives_being_written_and_read(contract):
    assert ObservationContract.from_dict(contract.to_dict()) == contract


def test_contract_of_an_earlier_version_is_read_and_the_rest_is_the_default():
    said = {
        "size_hw": [84, 84],
        "interpolation": "nearest",
        "crop": "center-square",
        "class_map": None,
        "stack": 4,
        "stack_order": "oldest-first",
        "dtype": "uint8",
        "range": "ids",
    }
    contract = ObservationContract.from_dict(said)
    assert contract == ObservationContract(crop="center-square", stack=4)
    assert contract.left_to_default(said) == ["channels", "color_order"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"stack_order": "newest-first"}, "stack_order is 'newest-first'"),
        ({"dtype": "float32"}, "dtype is 'float32', and this version only does 'uint8'"),
        ({"sise_hw": [84, 84]}, "entry sise_hw is unknown"),
        ({"size_hw": [84]}, "size_hw is (84,), expected two sides"),
        ({"size_hw": [0, 84]}, "size_hw is (0, 84)"),
        ({"size_hw": "84x84"}, "size_hw is '84x84'"),
        ({"stack": True}, "stack is True, expected 1 to 64 frames"),
        ({"crop": "left"}, "crop is 'left', expected none or center-square"),
        ({"range": "0-1"}, "range is '0-1', expected ids or spread"),
        ({"class_map": {"cube": 255}}, "class_map gives 'cube' the id 255"),
        ({"class_map": {"cube": 0}}, "every class the id 0"),
        ({"class_map": [0, 1]}, "class_map is [0, 1], expected class names with ids"),
        (None, "is None, expected a table"),
    ],
)
def test_malformed_contract_is_refused_with_what_was_expected(said, message):
    with pytest.raises(DataError, match=re.escape(message)):
        ObservationContract.from_dict(said)


def test_all_faults_of_a_contract_are_listed_at_once():
    with pytest.raises(DataError) as caught:
        ObservationContract.from_dict({"stack": 0, "crop": "left", "channels": "rgb"})
    assert len(caught.value.problems) == 3


def test_class_map_of_other_classes_names_the_models():
    wrong = {**SHIFTED, "brick": 2}
    del wrong["cube"]
    problems = ObservationContract(class_map=wrong).problems_with(
        DEFAULT_CLASSES, model_crop="none"
    )
    assert problems == [
        f"class_map names brick; the model's are {', '.join(DEFAULT_CLASSES.names)}",
        f"class_map lacks cube; the model's are {', '.join(DEFAULT_CLASSES.names)}",
    ]


def test_class_map_may_not_name_a_class_twice():
    wrong = {**SHIFTED, "Static Finger": 3}
    problems = ObservationContract(class_map=wrong).problems_with(
        DEFAULT_CLASSES, model_crop="none"
    )
    assert problems[0].startswith("class_map names twice static_finger")


def test_observation_may_not_show_what_the_model_cuts_off():
    problems = ObservationContract().problems_with(DEFAULT_CLASSES, model_crop="center-square")
    assert "use crop center-square" in problems[0]


def from_file(path):
    return ObservationContract.from_file(path, classes=DEFAULT_CLASSES, model_crop="none")


def test_file_may_be_yaml_or_json_and_is_named_when_it_is_wrong(tmp_path):
    path = tmp_path / "contract.yaml"
    path.write_text("stack: 4\nsize_hw: [64, 96]\n")
    assert from_file(path) == ObservationContract(size_hw=(64, 96), stack=4)
    path.write_text('{"stack": 4}')
    assert from_file(path).stack == 4
    path.write_text("stack: -1\n")
    with pytest.raises(DataError, match=r"contract.yaml: stack is -1"):
        from_file(path)
    path.write_text("class_map: {cube: 1}\n")
    with pytest.raises(DataError, match=r"contract.yaml: class_map lacks unlabeled, background"):
        from_file(path)
    with pytest.raises(DataError, match=r"none.yaml: no such file"):
        from_file(tmp_path / "none.yaml")


def test_levels_are_uint8_for_the_most_ids_there_can_be():
    names = {"unlabeled": 0, "background": 254, "table": 1, "cube": 2}
    names |= {"static_finger": 3, "moving_finger": 4}
    levels = ObservationContract(class_map=names, range="spread").levels(DEFAULT_CLASSES)
    assert levels.dtype == np.uint8
    assert levels[-1] == 254
