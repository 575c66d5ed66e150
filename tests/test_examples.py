"""Examples in docstrings hold."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

_SOURCES = Path(__file__).resolve().parents[1] / "src"
_WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(_SOURCES).with_suffix("").parts)
    for path in (_SOURCES / "wristseg").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", _WITH_EXAMPLES)
def test_examples_in_the_docstrings_hold(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0
