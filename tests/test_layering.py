"""Imports point one way, and prediction starts without training libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parents[1] / "src" / "wristseg"

_BASE = {
    "artifacts",
    "classes",
    "configs",
    "dataset_paths",
    "errors",
    "images",
    "interruption",
    "lock",
    "metrics",
    "model_info",
    "observation",
    "onnx_file",
    "onnx_runtime",
    "openvino_file",
    "packed_file",
    "overlay",
    "pages",
    "pipeline",
    "preprocess",
    "recipes",
    "rle",
    "yaml_file",
    "worker_process",
}

#: Part of the package to the parts it may import while it is imported itself.
_MAY_IMPORT = {
    **dict.fromkeys(_BASE, _BASE),
    "data": _BASE,
    "modeling": _BASE | {"data"},
    "train": _BASE | {"data", "modeling"},
    "predict": _BASE,
    "policy": _BASE | {"predict"},
    "live": _BASE | {"predict"},
    "evaluate": _BASE | {"data", "predict", "policy"},
    "export": _BASE | {"data", "predict"},
    "batch": _BASE | {"data", "predict"},
    "labeling": _BASE | {"data", "predict"},
    "lerobot": _BASE | {"data", "predict", "labeling"},
    "benchmark": _BASE | {"modeling"},
    "review": _BASE | {"data"},
    "synth": _BASE | {"data"},
    "demo": _BASE | {"data", "modeling", "train", "predict", "evaluate"},
    # Options of some commands lie in the config.py of synth, evaluate, labeling, ...
    "cli": _BASE | {"batch", "demo", "synth", "evaluate", "labeling", "lerobot", "live", "policy"},
    "__main__": {"cli"},
    "__init__": set(),
}

#: What a part may import besides, inside a function, when it is asked to do that work.
_MAY_IMPORT_LATER = {
    "predict": {"modeling"},
    "export": {"modeling"},
    "batch": {"lerobot"},
    "benchmark": {"data", "predict"},
    "demo": {"synth"},
    "cli": {
        "benchmark",
        "data",
        "modeling",
        "train",
        "predict",
        "export",
        "review",
        "synth",
        "batch",
    },
}

#: The one module of prediction that is imported only when a checkpoint is loaded.
_LATE_MODULES = {"predict/torch_backend.py"}

_HEAVY = ("torch", "lightning", "timm", "ray", "mujoco", "gymnasium", "matplotlib")


def modules():
    return sorted(_PACKAGE.rglob("*.py"))


def part_of(path):
    return path.relative_to(_PACKAGE).with_suffix("").parts[0]


def parts_imported(nodes):
    """Return the parts of the package that these import statements name."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        else:
            module = node.module or ""
            dotted = (
                [f"wristseg.{alias.name}" for alias in node.names]
                if module == "wristseg"
                else [module]
            )
        found |= {name.split(".")[1] for name in dotted if name.startswith("wristseg.")}
    return found


def imports(path):
    """Return the parts imported with the module, and those imported inside its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later, typing_only = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            later |= set(ast.walk(node))
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            typing_only |= set(ast.walk(node))
    statements = {node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)}
    return parts_imported(statements - later - typing_only), parts_imported(statements & later)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_module_imports_only_what_lies_before_it(path):
    part = part_of(path)
    assert part in _MAY_IMPORT, f"say in this test what wristseg.{part} may import"
    allowed = _MAY_IMPORT[part] | {part, "__version__"}
    allowed_later = allowed | _MAY_IMPORT_LATER.get(part, set())
    now, later = imports(path)
    if path.relative_to(_PACKAGE).as_posix() in _LATE_MODULES:
        now, later = set(), now | later
    assert now <= allowed, f"imports {sorted(now - allowed)}"
    assert later <= allowed_later, f"imports {sorted(later - allowed_later)} in a function"


def test_module_is_never_imported_under_its_file_path():
    for path in modules():
        assert "src.wristseg" not in path.read_text(encoding="utf-8"), path


def test_reader_of_imports_sees_both_kinds(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "import wristseg.data.masks\n"
        "from wristseg import rle\n"
        "if TYPE_CHECKING:\n    from wristseg.train import module\n"
        "def f():\n    from wristseg.modeling.network import SegmentationNetwork\n"
    )
    assert imports(path) == ({"data", "rle"}, {"modeling"})


@pytest.mark.parametrize(
    "module",
    [
        "wristseg.predict",
        "wristseg.cli.main",
        "wristseg.predict.predict",
        "wristseg.live",
        "wristseg.live.run",
        "wristseg.cli.live",
        "wristseg.policy",
        "wristseg.policy.check",
    ],
)
def test_import_brings_no_training_library(module):
    code = f"import sys, {module}; print([m for m in {_HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


def test_onnx_runtime_is_imported_in_one_place_only():
    """Its telemetry is on unless it is switched off before it is loaded."""
    found = {
        str(path.relative_to(_PACKAGE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        if name is not None and name.split(".")[0] in {"onnxruntime"}
    }
    assert found == set()
