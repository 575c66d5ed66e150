"""Bulk labelling whose workers and drivers are killed ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from dataclasses import dataclass
from functools import partial

import pytest

from tests.batch.clips import (
    command,
    kill,
    label_here,
    make_inputs,
    outputs_of,
    wait_for,
    workers_of,
)


@dataclass(frozen=True)
class Plan:
    clips: int
    poison: int
    worker_kills: int
    driver_kills: int

    def kills(self, rng):
        """Return after how many finished inputs whom to kill, in order."""
        victims = ["worker"] * self.worker_kills + ["driver"] * self.driver_kills
        rng.shuffle(victims)
        return [
            (1 + int(0.85 * self.clips * i / len(victims)), victim)
            for i, victim in enumerate(victims)
        ]


def _reached(output, driver, finished):
    return workers_of(driver.pid) and len(list(output.rglob("*.done.json"))) >= finished


def run_killed(inputs, output, plan, *options, seed=0):
    """Label with kills; returns the last driver's exit code and what it said."""
    rng = random.Random(seed)
    driver = subprocess.Popen(command(inputs, output, *options), stderr=subprocess.PIPE, text=True)
    try:
        for finished, victim in plan.kills(rng):
            reached = wait_for(partial(_reached, output, driver, finished), driver)
            assert reached, f"ended before the kill after {finished} inputs"
            if victim == "worker":
                kill(rng.choice(workers_of(driver.pid)))
                continue
            driver.kill()
            driver.communicate(timeout=60)
            driver = subprocess.Popen(
                command(inputs, output, *options), stderr=subprocess.PIPE, text=True
            )
        _, said = driver.communicate(timeout=900)
    finally:
        driver.kill()
        driver.wait()
    return driver.returncode, said


def assert_as_if_nothing_had_happened(inputs, output, plan, code, said, reference):
    assert code == 4, said
    assert "Traceback" not in said
    entries = [json.loads(line) for line in (output / "index.jsonl").read_text().splitlines()]
    statuses = [entry["status"] for entry in entries]
    assert statuses.count("done") == plan.clips
    assert statuses.count("quarantined") == plan.poison
    assert len({entry["input"] for entry in entries}) == len(entries) == plan.clips + plan.poison
    assert len(list(output.rglob("*.done.json"))) == plan.clips, "none twice, none missing"
    assert len(list(output.rglob("*.masks.mkv"))) == plan.clips
    assert not list(output.rglob("*.tmp*"))
    assert outputs_of(output) == outputs_of(reference)
    # Nothing of it is believed only because it is there.
    written = {path: path.stat().st_mtime_ns for path in output.rglob("*.done.json")}
    assert label_here(inputs, output, "--verify") == 4
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(12, 1, 2, 1), id="few", marks=pytest.mark.slow),
        pytest.param(Plan(195, 5, 10, 3), id="full", marks=pytest.mark.faults),
    ],
)
@pytest.mark.timeout(3600)
def test_f27_killed_workers_and_drivers_change_no_byte(tmp_path, plan):
    inputs = make_inputs(tmp_path / "in", clips=plan.clips, poison=plan.poison, frames=25)
    before = outputs_of(inputs)
    reference = tmp_path / "one"
    assert label_here(inputs, reference) == 4
    output = tmp_path / "killed"
    code, said = run_killed(inputs, output, plan, "--workers", "2")
    assert_as_if_nothing_had_happened(inputs, output, plan, code, said, reference)
    assert outputs_of(inputs) == before, "inputs are only read"


@pytest.mark.slow
def test_worker_that_stops_answering_is_replaced(inputs, in_one_process, tmp_path):
    output = tmp_path / "out"
    with subprocess.Popen(
        command(inputs, output, "--workers", "1", "--timeout-s", "10"), stderr=subprocess.PIPE
    ) as driver:
        assert wait_for(lambda: list(output.rglob("*.done.json")), driver)
        (stuck,) = workers_of(driver.pid)
        stuck_at = signal.SIGSTOP
        subprocess.run(["kill", f"-{stuck_at.value}", str(stuck)], check=True)
        driver.communicate(timeout=270)
    assert driver.returncode == 4
    assert outputs_of(output) == outputs_of(in_one_process)
