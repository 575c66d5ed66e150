"""Files of marks are written back with all that they held."""

from __future__ import annotations

import json

import pytest

from wristseg.data.marks_file import MarksFile
from wristseg.errors import DataError


def test_unknown_keys_and_names_that_meet_no_frame_survive_a_change(tmp_path):
    path = tmp_path / "selections.json"
    path.write_text('{"viewer": {"zoom": 2}, "marks": {"b.png": "Held", "Ä?.jpg": ""}, "z": null}')
    MarksFile.read(path).changed({"a.jpg": "Grasp"}).write()
    value = json.loads(path.read_text())
    assert list(value) == ["viewer", "marks", "z"]
    assert value["viewer"] == {"zoom": 2}
    assert value["marks"] == {"a.jpg": "Grasp", "b.png": "Held", "Ä?.jpg": ""}
    assert list(value["marks"]) == ["a.jpg", "b.png", "Ä?.jpg"]  # they were sorted before


def test_marks_in_an_order_of_their_own_keep_it(tmp_path):
    path = tmp_path / "selections.json"
    path.write_text('{"marks": {"b.jpg": "Grasp", "a.jpg": "Grasp"}}')
    changed = MarksFile.read(path).changed({"aa.jpg": "Grasp", "a.jpg": None})
    assert list(changed.labels) == ["b.jpg", "aa.jpg"]


def test_a_file_that_is_not_there_is_made_by_the_first_write(tmp_path):
    file = MarksFile.read(tmp_path / "excluded.json")
    assert file.is_current()
    assert dict(file.labels) == {}
    file.changed({"a.jpg": "Excluded"}).write()
    assert not file.is_current()
    assert dict(MarksFile.read(file.path).labels) == {"a.jpg": "Excluded"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["excluded.json"]


def test_a_link_stays_a_link_and_rights_stay_rights(tmp_path):
    target = tmp_path / "shared.json"
    target.write_text('{"marks": {}}')
    target.chmod(0o664)
    link = tmp_path / "selections.json"
    link.symlink_to(target)
    MarksFile.read(link).changed({"a.jpg": "Grasp"}).write()
    assert link.is_symlink()
    assert json.loads(target.read_text())["marks"] == {"a.jpg": "Grasp"}
    assert target.stat().st_mode & 0o777 == 0o664


def test_half_of_a_surrogate_pair_in_a_name_survives(tmp_path):
    path = tmp_path / "selections.json"
    path.write_text('{"marks": {"\\ud800.jpg": "Grasp"}}')
    MarksFile.read(path).changed({"a.jpg": "Grasp"}).write()
    assert list(MarksFile.read(path).labels) == ["a.jpg", "\ud800.jpg"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"marks": []}', '{"marks": {"a.jpg": 1}}', '{"marks": {}, "x": NaN}', "{"],
)
def test_a_file_of_another_form_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "selections.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"selections\.json"):
        MarksFile.read(path)
    assert path.read_text() == content
