"""Encode frames as an H.264 clip that every player and browser opens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import atomic_path

__all__ = ["FPS", "write_clip"]

FPS = 30
#: x264's quality scale; at 22 a four-second clip stays well under a megabyte.
_CRF = "22"


def write_clip(
    path: Path, frames_rgb: Iterable[NDArray[np.uint8]], *, size_hw: tuple[int, int]
) -> int:
    """Write (H, W, 3) uint8 RGB frames to an MP4 file and return their number."""
    count = 0
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": _CRF, "preset": "slow", "movflags": "+faststart"}
        # Threads change the bytes; a clip is to be the same on every machine.
        stream.thread_count = 1
        for picture in frames_rgb:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode())
    return count
