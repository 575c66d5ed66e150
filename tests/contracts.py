"""Random observation contracts and masks for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wristseg.classes import DEFAULT_CLASSES
from wristseg.observation import ObservationContract

__all__ = ["contracts", "few", "masks"]

#: Each example is quick; that many of them suffice, and a busy machine is no failure.
few = settings(max_examples=60, deadline=None)


def _class_maps():
    ids = st.lists(st.integers(0, 20), min_size=6, max_size=6).filter(any)
    return ids.map(lambda found: dict(zip(DEFAULT_CLASSES.names, found, strict=True)))


def contracts(*, crop: str | None = None):
    """Any contract for the default classes; ``crop`` fixes what is cut."""
    sides = st.integers(1, 16)
    return st.builds(
        ObservationContract,
        size_hw=st.tuples(sides, sides),
        crop=st.sampled_from(["none", "center-square"]) if crop is None else st.just(crop),
        class_map=st.none() | _class_maps(),
        channels=st.sampled_from(["ids", "one-hot"]),
        range=st.sampled_from(["ids", "spread"]),
        stack=st.integers(1, 5),
        color_order=st.sampled_from(["rgb", "bgr"]),
    )


def masks():
    """(H, W) uint8 class ids of any small size."""
    return st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(
        lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 5))
    )
