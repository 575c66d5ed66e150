"""The machine is described by what its system says."""

from __future__ import annotations

from wristseg.benchmark.machine import ProcessorTime, describe_machine, library_versions


def test_the_stolen_share_is_that_of_the_time_between_two_readings():
    before, after = ProcessorTime(1000, 50), ProcessorTime(1400, 60)
    assert after.stolen_since(before) == 10 / 400
    assert before.stolen_since(before) == 0.0


def test_a_machine_has_cores_and_a_name():
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["processor"]


def test_versions_name_the_opponents_too():
    assert {"wristseg", "torch", "onnxruntime"} <= library_versions().keys()
