"""What is installed is pinned by hash, and nothing of the last days is among it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts import constraints

_ROOT = Path(__file__).parents[2]


def pins(text):
    """Return the requirements of a constraints file, each with its continuation lines."""
    return text.replace("\\\n", " ").strip().splitlines()


def test_every_package_is_pinned_to_a_version_and_hashes():
    lines = pins(constraints.CONSTRAINTS.read_text())
    assert len(lines) > 100
    whole = re.compile(r"[a-z0-9._-]+==\S+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in lines if not whole.fullmatch(line.strip())] == []


def test_ci_installs_by_hash():
    assert "uv pip sync --quiet --require-hashes constraints.txt" in (_ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("days", [0, 6])
def test_pins_are_not_renewed_from_releases_of_the_last_week(monkeypatch, tmp_path, capsys, days):
    now = datetime.now(UTC)
    monkeypatch.setattr(constraints, "newest_release", lambda: now - timedelta(days=days))
    monkeypatch.setattr(constraints, "CONSTRAINTS", tmp_path / "constraints.txt")
    assert constraints.main() == 1
    assert "lets in releases of the last 7 days" in capsys.readouterr().err
    assert not (tmp_path / "constraints.txt").exists()


def test_releases_that_are_left_out_are_a_week_old_at_least():
    assert datetime.now(UTC) - constraints.newest_release() >= constraints.COOL_DOWN
