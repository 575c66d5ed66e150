"""P6: killed at any moment, a worker leaves whole outputs, and none that counts too early."""

from __future__ import annotations

import json

import pytest

from tests.children import run_module
from tests.counts import times

_KILLS = times(25, 500)


@pytest.mark.timeout(times(120, 900))
@pytest.mark.tried(_KILLS)
def test_p6_outputs_are_whole_whenever_their_worker_is_killed(tmp_path):
    child = run_module("tests.batch.killed_committer", tmp_path, _KILLS)
    printed, _ = child.communicate(timeout=800)
    assert child.returncode == 0  # what went wrong stands on stderr
    said = json.loads(printed)
    assert said["damaged"] == []
    assert said["same"], "what is made in the end depends on the kills"
    assert said["met"] >= _KILLS / 2, "hardly any worker was met at work"
    assert said["half"] >= _KILLS / 20, "hardly any kill met a write"
