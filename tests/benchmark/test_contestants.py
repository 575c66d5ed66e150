"""Who takes part: all that can, and a line of advice for each that cannot."""

from __future__ import annotations

from pathlib import Path

from wristseg.benchmark import contestants
from wristseg.benchmark.contestants import CONTESTANTS, find_plain, plain_masks, present


def without(monkeypatch, *missing):
    found = contestants.find_spec
    monkeypatch.setattr(
        contestants, "find_spec", lambda name: None if name in missing else found(name)
    )


def test_a_missing_peer_is_left_out_with_how_to_get_it(monkeypatch):
    without(monkeypatch, "segmentation_models_pytorch")
    found, notes = present(find_plain())
    assert not [contestant for contestant in found if contestant.family == "smp"]
    told = [note for note in notes if note.startswith("smp FPN")]
    assert len(told) == 2
    assert all("uv sync --group bench" in note and "\n" not in note for note in told)


def test_a_missing_runtime_leaves_out_those_that_need_it_alone(monkeypatch):
    without(monkeypatch, "openvino")
    found, notes = present(find_plain())
    names = {contestant.name for contestant in found}
    assert "wristseg/openvino" not in names
    assert {"wristseg/torch", "plain/torch"} <= names
    assert any("wristseg[openvino]" in note for note in notes)


def test_without_a_clone_the_plain_rows_are_left_out_with_a_line():
    found, notes = present(None)
    assert not [contestant for contestant in found if contestant.family == "plain"]
    assert [note for note in notes if "comes with a clone" in note]


def test_the_plain_implementation_is_found_in_this_clone():
    clone = Path(__file__).parents[2]
    assert find_plain() == clone / "benchmarks" / "plain.py"
    assert plain_masks(find_plain()) == clone / "benchmarks" / "plain_masks.py"


def test_labels_tell_contestants_apart():
    assert len({contestant.label for contestant in CONTESTANTS}) == len(CONTESTANTS)
