"""Commands that the rights of files hold for, even where root runs the tests."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["bound_by_rights"]

# PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root passes over the rights
# of folders; from the next program on, the process is without them.
_DROP = """
import ctypes, os, sys
for right in (1, 2) if os.getuid() == 0 else ():
    ctypes.CDLL(None).prctl(24, right, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def bound_by_rights(command: Sequence[str]) -> list[str]:
    """Return a command that runs another, of an absolute path, without root's passes. Linux."""
    return [sys.executable, "-c", _DROP, *command]
