"""Ray Data as the engine: the same bytes, also where an actor is killed; starvation is told."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.batch.clips import command, kill, label, label_here, make_inputs, outputs_of, wait_for

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]

pytest.importorskip("ray")


def actors_of_ray():
    """Return the process numbers of the actors that label, of any driver of this machine."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = place.read_bytes()
        except OSError:
            continue
        # Ray names a process after its actor; while it labels, after the method.
        if said.startswith(b"ray::") and b"MapWorker" in said:
            found.append(int(place.parent.name))
    return found


def test_ray_makes_the_same_bytes_as_one_process(inputs, in_one_process, tmp_path):
    done = label(inputs, tmp_path / "ray", "--engine", "ray", "--workers", "2", timeout_s=900)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert outputs_of(tmp_path / "ray") == outputs_of(in_one_process)


def _labelling(output, finished):
    return actors_of_ray() and len(list(output.rglob("*.done.json"))) >= finished


@pytest.mark.parametrize(
    ("clips", "poison"),
    [
        pytest.param(12, 1, id="few"),
        pytest.param(195, 5, id="full", marks=pytest.mark.faults),
    ],
)
def test_f28_killed_actor_changes_no_byte(tmp_path, clips, poison):
    inputs = make_inputs(tmp_path / "in", clips=clips, poison=poison, frames=25)
    assert label_here(inputs, tmp_path / "one") == 4
    output = tmp_path / "ray"
    options = ("--engine", "ray", "--workers", "2")
    with subprocess.Popen(
        command(inputs, output, *options), stderr=subprocess.PIPE, text=True
    ) as driver:
        assert wait_for(partial(_labelling, output, 1 + clips // 10), driver, timeout_s=900)
        kill(actors_of_ray()[0])
        _, said = driver.communicate(timeout=1200)
    assert driver.returncode == 4, said
    entries = [json.loads(line) for line in (output / "index.jsonl").read_text().splitlines()]
    statuses = [entry["status"] for entry in entries]
    assert (statuses.count("done"), statuses.count("quarantined")) == (clips, poison)
    assert outputs_of(output) == outputs_of(tmp_path / "one")


def test_f28_too_few_cpus_are_told_at_the_start(inputs, tmp_path):
    # A cluster of its own with two CPUs, which two actors would take whole.
    code = (
        "import ray, sys\n"
        "ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)\n"
        "from wristseg.cli.label import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    given = command(inputs, tmp_path / "out", "--engine", "ray", "--workers", "2")
    given += ["--address", "auto"]
    done = subprocess.run(
        [given[0], "-c", code, *given[4:]],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "give at most --workers 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_address_without_a_cluster_is_told(inputs, tmp_path):
    done = label(
        inputs, tmp_path / "out", "--engine", "ray", "--address", "127.0.0.1:9", timeout_s=600
    )
    assert done.returncode == 2, done.stderr
    assert "no cluster of Ray there" in done.stderr
