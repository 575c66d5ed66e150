"""How often a fault is tried: some times with every change, the full count by ``just faults``."""

from __future__ import annotations

import os

__all__ = ["times"]

_FULL = os.environ.get("WRISTSEG_FAULTS") == "full"


def times(few: int, full: int) -> int:
    """Return ``full`` in a run of ``just faults``, else ``few``."""
    return full if _FULL else few
