"""``wristseg masks`` and its fixed-path script as a shell sees them: text, exit codes, children."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.counts import times
from tests.data.coco_tables import HEIGHT, WIDTH, base_table
from tests.datasets import edit_coco, make_coco_dataset
from wristseg.cli.masks import main

SCRIPT = Path(__file__).parents[2] / "scripts/generate_seg_masks.py"


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60, check=False)


def test_script_runs_the_command_of_the_request(tmp_path: Path) -> None:
    data = make_coco_dataset(tmp_path / "data/dataset_v0", excluded=(2,))
    done = run(
        SCRIPT,
        *("--dataset-path", "data/dataset_v0", "--output-dir", "data/dataset_v0/masks"),
        *("--selections", "data/dataset_v0/selections.json"),
        *("--excluded", "data/dataset_v0/excluded.json", "--viz-dir", "viz"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((data / "masks").glob("*.png"))) == len(list((tmp_path / "viz").iterdir())) == 5
    assert "order grasp" in done.stdout
    assert "contested" in done.stdout


def test_script_is_a_shim_of_15_lines_at_most() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 15


def test_summary_goes_to_stdout_and_warnings_to_stderr(
    coco_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (coco_dataset / "selections.json").write_text('{"marks": {"gone.jpg": "Grasp"}}')
    (coco_dataset / "masks").mkdir()
    (coco_dataset / "masks/old.png").write_bytes(b"")
    assert main(["--dataset-path", str(coco_dataset)]) == 0
    said = capsys.readouterr()
    assert "6 masks in" in said.out
    assert "'gone'" in said.err
    assert "1 masks that this run did not write: old.png" in said.err


def test_help_opens_with_two_commands_to_paste(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.count("wristseg masks --dataset-path") == 2


def test_missing_data_set_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dataset-path", "nowhere"]) == 2
    assert capsys.readouterr().err == ("wristseg masks: --dataset-path nowhere: no such folder\n")


def test_f32_taken_output_ends_with_3_and_one_line(
    coco_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["--dataset-path", str(coco_dataset), "--output-dir", str(tmp_path / "taken")]) == 3
    said = capsys.readouterr().err
    assert "taken" in said
    assert len(said.splitlines()) == 1


def test_f32_two_jobs_on_one_output_leave_whole_masks(coco_dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--dataset-path", str(coco_dataset), "--output-dir"]
    jobs = [
        subprocess.Popen([*command, str(tmp_path / "both")], stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [job.wait(timeout=60) for job in jobs] == [0, 0]
    assert main([*command[2:], str(tmp_path / "alone")]) == 0
    both = {path.name: path.read_bytes() for path in (tmp_path / "both").iterdir()}
    assert both == {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}


def test_masks_start_without_torch_and_training_libraries() -> None:
    heavy = "{'torch', 'timm', 'lightning', 'torchvision', 'matplotlib', 'pandas'}"
    done = run("-c", f"import sys, wristseg.data.masks; print({heavy} & set(sys.modules))")
    assert done.stdout.strip() == "set()"


# --- P2: mutated COCO files in a child process ---------------------------------------------------

CHILD = """
import contextlib, sys
from wristseg.cli.masks import main
for line in sys.stdin:
    with contextlib.redirect_stdout(sys.stderr):
        code = main(line.rstrip("\\n").split("\\t"))
    print(code, flush=True)
"""

WEIRD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 10**30, 1.5, 1e308, -0.0),
    *(float("nan"), float("inf"), "", "1", "a.png", "../a.png", "\0", "\ud800", "x" * 300),
    *([], [[]], [1], {}, {"size": [1, 1], "counts": [1]}, {"counts": ""}, [[0.0] * 6]),
)


class Child:
    """A process that runs the command again and again, so that a crash is seen as such."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("a.png", "b.png"):
            Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
        self.errors = (folder / "stderr.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def exit_code(self, table: dict[str, Any]) -> int:
        annotations = self.folder / "coco.json"
        annotations.write_text(json.dumps(table))
        options = ("--dataset-path", self.folder, "--annotations", annotations)
        options += ("--images", self.folder, "--output-dir", self.folder / "masks")
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\t".join(map(str, options)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the process died: {self.process.wait()}\n{table}"
        return int(answer)

    def close(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.seek(0)
        said = self.errors.read()
        self.errors.close()
        return said


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    running = Child(tmp_path_factory.mktemp("mutated"))
    yield running
    assert "Traceback" not in running.close()


def mutate(value: Any, rng: random.Random) -> Any:
    """Replace, drop or repeat one value somewhere in a JSON tree."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(list(keys))
        action = rng.random()
        if action < 0.08:
            del value[key]
        elif action < 0.14 and isinstance(value, list):
            value.append(copy.deepcopy(value[key]))
        else:
            value[key] = mutate(value[key], rng)
        return value
    return copy.deepcopy(rng.choice(WEIRD))  # or a later mutation could put it into itself


@pytest.mark.timeout(times(120, 3600))
@pytest.mark.tried(times(200, 5_000))
@settings(max_examples=times(200, 5_000), deadline=5000)
@given(seed=st.integers(0, 2**32), mutations=st.integers(1, 4))
def test_p2_mutated_coco_ends_with_0_or_3(child: Child, seed: int, mutations: int) -> None:
    rng = random.Random(seed)
    table: Any = base_table()
    for _ in range(mutations):
        table = mutate(table, rng)
    assert child.exit_code(table) in {0, 3}


def test_p2_child_tells_good_from_bad(child: Child) -> None:
    assert child.exit_code(base_table()) == 0
    assert child.exit_code({"images": 1}) == 3


def test_refused_run_leaves_the_masks_of_the_last_one(coco_dataset: Path) -> None:
    assert main(["--dataset-path", str(coco_dataset)]) == 0
    before = {path.name: path.read_bytes() for path in (coco_dataset / "masks").iterdir()}
    edit_coco(coco_dataset, lambda table: table["annotations"][0].update(category_id=99))
    assert main(["--dataset-path", str(coco_dataset)]) == 3
    after = {path.name: path.read_bytes() for path in (coco_dataset / "masks").iterdir()}
    assert after == before
