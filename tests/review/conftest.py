"""Fixtures of the review tests."""

from __future__ import annotations

import pytest

from tests.review.serving import serving


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def client(coco_dataset, cache):
    with serving(coco_dataset, cache) as found:
        yield found
