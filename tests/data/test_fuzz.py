"""The readers of labels meet bytes that nobody wrote on purpose, and refuse them by rule."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.counts import times
from tests.data.coco_tables import base_table
from tests.fuzz_targets import coco_file, rle_text

_TOKENS = [b"1e999", b"-1", b"null", b"[[", b"NaN", b'"']
_WHOLE = json.dumps(base_table()).encode()


@st.composite
def spoiled_files(draw: st.DrawFn) -> bytes:
    """A valid file with some of its bytes replaced, dropped or repeated."""
    content = bytearray(_WHOLE)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(content) - 1))
        length = draw(st.integers(0, 12))
        content[at : at + length] = draw(
            st.binary(max_size=12)
            | st.sampled_from([b"1e999", b"-1", b"null", b"[[", b"NaN", b'"'])
        )
        if not content:
            return b""
    return bytes(content)


@settings(max_examples=times(300, 10_000), deadline=None)
@given(content=st.binary(max_size=200) | spoiled_files())
@example(_WHOLE)
def test_any_bytes_are_a_coco_file_or_refused(content: bytes) -> None:
    coco_file(content)


@settings(max_examples=times(500, 20_000), deadline=None)
@given(
    content=st.binary(max_size=60)
    | st.text(alphabet=[chr(code) for code in range(48, 112)], max_size=60).map(str.encode)
)
@example(b"04")
def test_any_bytes_are_run_lengths_or_refused(content: bytes) -> None:
    rle_text(content)
