"""Small videos made for tests, whole and damaged."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

__all__ = ["cut", "frame_picture", "make_clip", "punch_hole", "rotate_clip", "with_moov_first"]


def frame_picture(i: int, size_hw: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return an RGB picture with a red corner and a bar that moves with ``i``."""
    height, width = size_hw
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(40, 200, width, dtype=np.uint8)
    picture[..., 1] = np.linspace(200, 40, height, dtype=np.uint8)[:, None]
    picture[..., 2] = 90
    picture[: height // 3, : width // 3] = (230, 20, 20)
    picture[:, (3 * i) % width] = 250
    return picture


def make_clip(
    path: Path,
    *,
    frames: int = 20,
    size_hw: tuple[int, int] = (48, 64),
    fps: int = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times_ms: list[int] | None = None,
) -> Path:
    """Encode a clip; ``times_ms`` gives each frame's time instead of ``fps``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = size_hw
        stream.pix_fmt = pix_fmt
        stream.gop_size = 5
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if frames == 0:
            container.start_encoding()
            return path
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(frame_picture(i, size_hw), format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_moov_first(path: Path) -> Path:
    """Remux an MP4 so that its index comes first, as cameras that stream write it."""
    target = path.with_name(f"streamed_{path.name}")
    with (
        av.open(str(path)) as source,
        av.open(str(target), "w", options={"movflags": "faststart"}) as container,
    ):
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return target


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def punch_hole(path: Path) -> Path:
    """Overwrite the middle tenth of a file with zeros."""
    content = bytearray(path.read_bytes())
    middle, tenth = len(content) // 2, len(content) // 10
    content[middle : middle + tenth] = bytes(tenth)
    path.write_bytes(content)
    return path


def rotate_clip(path: Path) -> Path:
    """Set an MP4's display matrix to a quarter turn clockwise, as phones do."""
    content = bytearray(path.read_bytes())
    # ISO 14496-12: tkhd version 0 has 20 bytes of times and ids and 16 more before its matrix.
    start = content.index(b"tkhd") + 4 + 4 + 20 + 16
    one = 1 << 16
    content[start : start + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path
