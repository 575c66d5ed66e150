"""The page of the fault table says what a run's report says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.reliability import ROWS, main, page, read_reports

_TESTS = Path(__file__).parents[1]
_REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="tests.train.test_kills" name="test_f12_killed[here]">
  <properties><property name="tried" value="50"/></properties></testcase>
<testcase classname="tests.train.test_kills" name="test_f12_killed[elsewhere]">
  <properties><property name="tried" value="50"/></properties></testcase>
<testcase classname="tests.data.test_x" name="test_f05_size[a]"/>
<testcase classname="tests.data.test_x" name="test_f05_size[b]"><failure message="no"/></testcase>
<testcase classname="tests.data.test_x" name="test_f06_exif"><skipped message="no"/></testcase>
<testcase classname="tests.review.test_marks.TestP7MarksEqualTheDisk" name="runTest">
  <properties><property name="tried" value="15"/></properties></testcase>
<testcase classname="tests.review.test_marks" name="test_first_of_f12_and_more"/>
</testsuite></testsuites>"""


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(_REPORT)
    return path


def line_of(text, row):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
    return line


def test_trials_are_counted_by_the_id_in_a_tests_name(report):
    outcomes = read_reports([report])
    assert (outcomes["F12"].tests, outcomes["F12"].tried, outcomes["F12"].held) == (2, 100, 100)
    assert (outcomes["F05"].tried, outcomes["F05"].held) == (2, 1)
    assert (outcomes["F06"].tests, outcomes["F06"].skipped) == (0, 1)
    assert outcomes["P7"].tried == 15
    assert outcomes["F01"].tests == 0


def test_page_tells_what_holds_from_what_failed_and_what_was_not_tried(report):
    text = page(read_reports([report]), commit="c0ffee", day="2026-01-02")
    assert "2026-01-02, commit `c0ffee`" in text
    assert line_of(text, "F12").endswith("| 100 | 100 | 100 | holds |")
    assert line_of(text, "F05").endswith("| 4 | 2 | 1 | **failed** |")
    assert line_of(text, "F06").endswith("| **not tried** |")
    assert line_of(text, "P7").endswith("holds, **fewer than asked** |")
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == len(ROWS) + 1


def test_exit_code_is_1_unless_every_row_holds(report, tmp_path, capsys):
    assert main((report,), output=tmp_path / "page.md") == 1
    said = capsys.readouterr().out
    assert f"1 of {len(ROWS)} rows hold" in said
    assert "F05 (**failed**)" in said
    assert "F06 (**not tried**)" in said
    assert "P7 (holds, **fewer than asked**)" in said
    assert "F12" not in said


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_test(row):
    names = re.compile(rf"def test_{row.lower()}_|class Test{row}[A-Z]")
    assert any(names.search(path.read_text()) for path in _TESTS.rglob("test_*.py"))
