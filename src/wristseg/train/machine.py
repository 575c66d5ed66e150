"""What a training asks of the machine before its first step. Called by ``train.fit``."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

#: Numbers of mallopt's settings in <malloc.h>.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 64 * 1024**2


def keep_freed_memory() -> bool:
    """Let the C library keep what a step frees for the next one; for the rest of the process.

    By default glibc gives each array of more than 32 MB back to the system and takes a fresh one,
    page by page, for the next: 150,000 page faults and a quarter of the time of a step at 640x480,
    batch 4 (docs/performance.md). The most memory in use stays the same.

    Returns:
        Whether the C library has these settings; glibc does, macOS, Windows and musl do not.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, _TOP_PAD_BYTES))
    answers = [mallopt(setting, value) for setting, value in settings]
    return answers == [1] * len(settings)
