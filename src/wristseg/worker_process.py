"""What a worker process does first: leave Ctrl-C to its parent, and end when that is gone.

Called in the processes that ``synth`` and ``batch`` start with ``spawn``.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing import parent_process

import cv2

__all__ = ["prepare_worker"]


def prepare_worker(*, grace_s: float = 0.0) -> None:
    """Make this process a quiet worker of one thread.

    Args:
        grace_s: Seconds it has to clean up when its parent is gone, from a SIGTERM on.
    """
    cv2.setNumThreads(1)
    # Ctrl-C reaches the whole group; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(grace_s,), daemon=True).start()


def _end_with_parent(grace_s: float) -> None:
    # A worker would wait for ever for a parent that was killed.
    parent = parent_process()
    if parent is None:
        return
    parent.join()
    if grace_s > 0:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
    os._exit(1)
