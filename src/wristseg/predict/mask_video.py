"""Mask videos: class ids of each frame of a video, kept exactly.

FFV1 in Matroska, one grey channel, **the grey value is the class id**: lossless by design for any
number of classes, and no scale to remember. Frame i of the mask video is frame i of the prediction,
with the same time. Lossy codecs destroy ids (measured: up to 17 % wrong pixels), so the overlay
video is for looking at and this one for computing. FFmpeg only logs damage to such a file; its
SHA-256 stands in the record beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import DataError
from wristseg.predict.video import VideoWriter

__all__ = ["mask_video_comment", "open_mask_video", "read_mask_video"]

# Every frame by itself, so that one can be read without those before it.
_OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "matroska,webm"}
_FFV1_OPTIONS = {"level": "3", "g": "1"}


def mask_video_comment(classes: ClassTable, *, origin: str) -> str:
    """Return the text that a mask video keeps about itself.

    Args:
        classes: Class table of the masks.
        origin: Where they come from.
    """
    return f"grey value = class id ({', '.join(classes.names)}); {origin}"


def open_mask_video(
    path: Path, size_hw: tuple[int, int], *, fps: Fraction, time_base: Fraction, comment: str
) -> VideoWriter:
    """Open a mask video for writing; write its frames with ``image_format="gray"``."""
    return VideoWriter(
        path,
        size_hw,
        codec="ffv1",
        pixel_format="gray",
        fps=fps,
        time_base=time_base,
        options=_FFV1_OPTIONS,
        comment=comment,
    )


def read_mask_video(path: Path | str) -> Iterator[NDArray[np.uint8]]:
    """Yield the masks of a mask video, (H, W) uint8 class ids each.

    Raises:
        DataError: The file is no mask video, or cannot be decoded.
    """
    path = Path(path)
    try:
        with av.open(str(path.absolute()), options=_OPEN_OPTIONS) as video:
            codec = video.streams.video[0].codec_context if video.streams.video else None
            if codec is None or codec.name != "ffv1" or codec.pix_fmt != "gray":
                raise DataError(path, "is no mask video (FFV1, one grey channel)")
            for frame in video.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(path, f"cannot be read: {error}") from error
