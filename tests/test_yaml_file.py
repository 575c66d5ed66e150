"""YAML that people write: one value per name, and no Python objects."""

from __future__ import annotations

import pytest

from wristseg.errors import DataError
from wristseg.yaml_file import read_yaml


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "map: {cube: 1, table: 2, cube: 3}\n"])
def test_name_that_stands_twice_is_an_error_that_says_where(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"policy.yaml: .*(a|cube) stands twice(.|\n)*line \d"):
        read_yaml(path)


def test_equal_names_in_different_tables_and_merged_ones_are_none(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("x: &x {n: 1}\ny: {<<: *x, m: 2}\nz: {n: 3}\n")
    assert read_yaml(path) == {"x": {"n": 1}, "y": {"n": 1, "m": 2}, "z": {"n": 3}}


@pytest.mark.parametrize(
    "content", [b"a: [", b"\xff\xfe\x00", b"!!python/object/apply:os.getcwd []", b"[" * 5000]
)
def test_what_is_no_plain_yaml_is_refused(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.yaml: not readable as YAML"):
        read_yaml(path)
