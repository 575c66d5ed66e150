"""Guards broken on purpose: in a copy of the code without one of them, its row's tests fail.

A test that cannot fail holds nothing. Each case patches one guard out of a copy of the source tree
and runs the tests of its row there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Guard:
    """A guard, what is left of it once it is broken, and the tests that must notice.

    Attributes:
        file: Where it stands, below ``src/wristseg``.
        guard: Its code.
        broken: What takes its place.
        tests: File below ``tests`` and, after ``::``, what ``pytest -k`` chooses of it; the first
            word is the start of the test's name.
    """

    file: str
    guard: str
    broken: str
    tests: str


GUARDS = {
    "F01": Guard(
        "data/coco.py", "if number in kept:", "if False:", "data/test_coco_faults.py::test_f01"
    ),
    "F07": Guard(
        "images.py",
        "    image.load()\n",
        "    from PIL import ImageFile\n\n"
        "    ImageFile.LOAD_TRUNCATED_IMAGES = True\n"
        "    image.load()\n",
        "test_images.py::test_f07",
    ),
    "F12": Guard(
        "artifacts.py",
        "        temporary.replace(path)\n    except OSError as error:",
        "        path.write_bytes(temporary.read_bytes())\n    except OSError as error:",
        "train/test_kills.py::test_f12",
    ),
    "F13": Guard(
        "artifacts.py",
        "    finally:\n        temporary.unlink(missing_ok=True)\n    _fsync",
        "    finally:\n        pass\n    _fsync",
        "train/test_checkpoints.py::test_f13",
    ),
    "F14": Guard(
        "modeling/safe_load.py",
        "whole = check_seal(path)",
        "whole = True",
        "train/test_checkpoints.py::test_f14",
    ),
    "F18": Guard(
        "train/checkpoints.py",
        "        _check_finite(pl_module, iou)\n",
        "",
        "train/test_fit.py::test_f18_weights",
    ),
    "F22": Guard(
        "review/guard.py",
        'if method == "POST" and not self._is_of_page(found):',
        "if False:",
        "review/test_requests_table.py::test_f22_every_case",
    ),
    "F27": Guard(
        "batch/local_engine.py",
        "(self._waiting.extend if worker.ready else self._waiting.extendleft)(at)",
        "self.open -= len(at)",
        "batch/test_kills.py::test_f27 and few",
    ),
}


@pytest.fixture
def tree(tmp_path):
    """A copy of what a test run reads."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("src", "tests", "benchmarks"):
        shutil.copytree(_ROOT / name, tmp_path / "tree" / name, ignore=ignored)
    shutil.copy(_ROOT / "pyproject.toml", tmp_path / "tree")
    return tmp_path / "tree"


def run_pytest(tree, *arguments):
    """Run tests in a copy of the tree; returns exit code and what was said."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-m", ""]
    environment = {name: value for name, value in os.environ.items() if name != "WRISTSEG_FAULTS"}
    done = subprocess.run(
        [*command, *arguments],
        cwd=tree,
        env={**environment, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stdout


def outcome(tree, tests):
    """Run the tests of a row in a copy of the tree."""
    file, _, chosen = tests.partition("::")
    return run_pytest(tree, "-x", f"tests/{file}", "-k", chosen)


@pytest.mark.faults
@pytest.mark.timeout(1300)
@pytest.mark.parametrize("row", GUARDS)
def test_row_goes_red_without_its_guard(tree, row):
    guard = GUARDS[row]
    path = tree / "src" / "wristseg" / guard.file
    text = path.read_text()
    assert text.count(guard.guard) == 1
    path.write_text(text.replace(guard.guard, guard.broken))
    code, said = outcome(tree, guard.tests)
    # 1: tests failed; anything else, such as 2 and 5, would mean that none was run.
    assert code == 1, said
    assert f"FAILED tests/{guard.tests.split()[0]}" in said
    path.write_text(text)
    code, said = outcome(tree, guard.tests)
    assert code == 0, said


@pytest.mark.parametrize("row", GUARDS)
def test_guards_to_break_are_where_they_are_looked_for(row):
    guard = GUARDS[row]
    text = (_ROOT / "src" / "wristseg" / guard.file).read_text()
    assert text.count(guard.guard) == 1


@pytest.mark.slow
def test_copied_tree_has_all_that_the_rows_tests_import(tree):
    files = {f"tests/{guard.tests.partition('::')[0]}" for guard in GUARDS.values()}
    code, said = run_pytest(tree, "--collect-only", *sorted(files))
    assert code == 0, said
