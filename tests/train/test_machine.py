"""The C library keeps freed memory, and arrays it gives again cost no page faults."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import resource
import numpy as np
from wristseg.train.machine import keep_freed_memory

if {settings}:
    assert keep_freed_memory()
np.ones(20_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(20_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*, settings):
    program = _PROGRAM.format(settings=settings)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


def test_large_arrays_are_given_again_without_page_faults():
    assert page_faults(settings=True) * 20 < page_faults(settings=False)
