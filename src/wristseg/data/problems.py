"""What readers of labels found wrong; gathered so that one run lists everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """One fault of a data set.

    Attributes:
        text: What is wrong, and with which record.
        severity: ``error``, or ``warning`` for what is odd but has a meaning.
        stem: The frame whose labels it concerns, or None if it concerns more than those. Faults in
            the labels of a frame stop mattering when the frame is excluded.
        topic: What kind of fault it is, in a few words; ``wristseg check`` groups by it.
    """

    text: str
    severity: Literal["error", "warning"] = "error"
    stem: str | None = None
    topic: str = "labels"
