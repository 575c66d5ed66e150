"""Run lengths: the same text as pycocotools, identity over a round trip, and no trust in counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from tests.counts import times
from wristseg import rle

SIDES = st.integers(1, 40)


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.uint8]:
    """Binary masks with runs of many lengths: noise, blocks, empty, full."""
    height, width = draw(SIDES), draw(SIDES)
    block = draw(st.integers(1, 8))
    small = draw(
        npst.arrays(np.uint8, (-(-height // block), -(-width // block)), elements=st.integers(0, 1))
    )
    large = small.repeat(block, axis=0).repeat(block, axis=1)
    return np.ascontiguousarray(large[:height, :width])


@pytest.mark.tried(times(500, 10_000))
@settings(max_examples=times(500, 10_000), deadline=None)
@given(mask=masks())
def test_p3_encode_decode_encode_is_identity_and_equals_pycocotools(
    mask: NDArray[np.uint8],
) -> None:
    counts = rle.encode(mask)
    size_hw = (mask.shape[0], mask.shape[1])
    np.testing.assert_array_equal(rle.decode(counts, size_hw), mask)
    assert rle.encode(rle.decode(counts, size_hw)) == counts
    text = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
    assert rle.compress(counts) == text
    assert rle.decompress(text, max_counts=mask.size + 1) == counts


@settings(max_examples=200, deadline=None)
@given(counts=st.lists(st.integers(0, 2**28), min_size=1, max_size=30))
def test_compressed_counts_of_any_size_come_back(counts: list[int]) -> None:
    assert rle.decompress(rle.compress(counts), max_counts=len(counts)) == counts


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=30) | st.text(alphabet=[chr(c) for c in range(48, 112)], max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        counts = rle.decompress(text, max_counts=20)
    except ValueError:
        return
    assert 0 < len(counts) <= 20
    assert min(counts) >= 0


def test_empty_mask_is_one_run_of_zeros() -> None:
    assert rle.encode(np.zeros((3, 4), np.uint8)) == [12]
    assert rle.encode(np.ones((3, 4), np.uint8)) == [0, 12]


def test_runs_go_down_the_columns() -> None:
    mask = np.array([[1, 0, 0], [1, 1, 0]], np.uint8)
    assert rle.encode(mask) == [0, 2, 1, 1, 2]


@pytest.mark.parametrize(
    ("counts", "message"),
    [([], "empty"), ([-1, 5], "negative"), ([3], "add up to 3"), ([10**18, 10**18], "add up")],
)
def test_f02_counts_that_fit_no_mask_are_not_decoded(counts: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rle.decode(counts, (2, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no counts"),
        ("P", "unterminated"),
        ("1 2", "do not use"),
        ("é", "do not use"),
        ("o" * 12 + "0", "too long"),
        ("111", "3 counts, expected at most 2"),
        ("1" * 99, "too long for 2 counts"),
        ("O", "negative"),
    ],
)
def test_f02_text_that_holds_no_counts_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rle.decompress(text, max_counts=2)
