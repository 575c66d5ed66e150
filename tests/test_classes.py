"""The class table: names, ids and draw orders, and the data sets' own tables."""

from __future__ import annotations

import pytest
import yaml

from wristseg.classes import DEFAULT_CLASSES, ClassTable, fold_name
from wristseg.errors import DataError


def test_default_table_is_the_one_of_the_request():
    assert DEFAULT_CLASSES.names == (
        "unlabeled",
        "background",
        "table",
        "cube",
        "static_finger",
        "moving_finger",
    )
    assert DEFAULT_CLASSES.order_ids("default") == (1, 2, 3, 4, 5)
    assert DEFAULT_CLASSES.order_ids("grasp") == (1, 2, 4, 5, 3)


@pytest.mark.parametrize(
    "name", ["static_finger", "Static Finger", "STATIC-FINGER", "staticfinger"]
)
def test_names_match_after_folding(name):
    assert DEFAULT_CLASSES.id_of(name) == 4


def test_unknown_name_has_no_id():
    assert DEFAULT_CLASSES.id_of("static_fingers") is None
    assert fold_name(" A b_c-d\t") == "abcd"


def test_colours_are_told_apart():
    assert len(set(DEFAULT_CLASSES.colors_rgb)) == len(DEFAULT_CLASSES)


def test_table_survives_yaml(tmp_path):
    path = tmp_path / "dataset.yaml"
    path.write_text(yaml.safe_dump(DEFAULT_CLASSES.to_dict()))
    assert ClassTable.of_dataset(tmp_path) == DEFAULT_CLASSES


def test_data_set_without_a_table_has_the_default_one(tmp_path):
    assert ClassTable.of_dataset(tmp_path) is DEFAULT_CLASSES


def test_own_objects_get_their_own_ids(tmp_path):
    table = {
        "names": ["unlabeled", "desk", "screw driver"],
        "colors_rgb": [[0, 0, 0], [1, 2, 3], [4, 5, 6]],
        "draw_orders": {
            "default": ["desk", "screw driver"],
            "grasp": ["screw driver", "desk"],
        },
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(table))
    classes = ClassTable.of_dataset(tmp_path)
    assert classes.id_of("Screw_Driver") == 2
    assert classes.order_ids("grasp") == (2, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["unlabeled", "a", "A"]}, "same after folding"),
        ({"colors_rgb": [[0, 0, 0]]}, "1 colours for 3 classes"),
        ({"colors_rgb": [[0, 0, 0], [0, 0, 256], [0, 0, 1]]}, "outside 0-255"),
        ({"draw_orders": {"default": ["a", "b"]}}, "needs the tags default and grasp"),
        ({"draw_orders": {"default": ["a"], "grasp": ["a", "b"]}}, "order default must name"),
        ({"names": 3}, "malformed"),
        ({"extra": 1}, "exactly the keys"),
        ({"draw_orders": [1]}, "malformed"),
    ],
)
def test_malformed_table_is_refused_with_its_rule(tmp_path, change, message):
    table = {
        "names": ["unlabeled", "a", "b"],
        "colors_rgb": [[0, 0, 0], [0, 0, 1], [0, 0, 2]],
        "draw_orders": {"default": ["a", "b"], "grasp": ["b", "a"]},
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump({**table, **change}))
    with pytest.raises(DataError, match=message) as refused:
        ClassTable.of_dataset(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "dataset.yaml"))


def test_f20_yaml_tag_runs_nothing(tmp_path):
    canary = tmp_path / "canary"
    text = f"!!python/object/apply:os.system ['touch {canary}']"
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(DataError, match="not readable as YAML"):
        ClassTable.of_dataset(tmp_path)
    assert not canary.exists()
    yaml.unsafe_load(text)
    assert canary.exists(), "the file would do nothing in any reader"
