"""Reads and writes videos frame by frame, and tells when a file holds less than it declares.

In: a video file. Out: upright RGB frames with the file's own times, and a list of what was wrong
with it. FFmpeg opens a damaged file without complaint and simply stops early (measured: 120 frames
declared, 59 decoded, no error), so what was declared is compared with what came.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from wristseg.errors import DataError

__all__ = ["TimedFrame", "VideoReader", "VideoWriter"]

# Playlist formats name further files and addresses to open; none of them is on this list.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,"
    "ogg,h264,hevc,ivf",
}
_DEFAULT_FPS = Fraction(30)
_PYAV = int(av.__version__.partition(".")[0])

#: Up to this size one thread decodes or encodes far more frames per second than a network segments,
#: and further threads only take time from it (measured: 10-20 % more of both at 640x480).
_ONE_THREAD_PIXELS = 1280 * 720
_MANY_THREADS = 4
#: PyAV 15 and 16, which LeRobot asks for, know no such option and convert in one thread.
_CONVERT_IN_ONE: dict[str, Any] = {"threads": 1} if _PYAV >= 17 else {}
#: How far the frame rate of the header may lie from that of the frames' times.
_RATE_TOLERANCE = 1.25


@dataclass(frozen=True)
class TimedFrame:
    """A decoded frame.

    Attributes:
        rgb: (H, W, 3) uint8, upright.
        pts: Time since the first frame in units of ``time_base``; grows strictly.
        time_base: Seconds per unit.
    """

    rgb: NDArray[np.uint8]
    pts: int
    time_base: Fraction


@dataclass(frozen=True)
class _Header:
    """What a video declares about itself, read while it is open (PyAV 19 refuses it afterwards).

    Attributes:
        frames: Number of frames, 0 where it is not declared.
        rate: Frames per second.
        time_base: Unit of the frames' times in seconds.
        duration_s: Length in seconds.
        has_sound: Whether there is an audio stream.
    """

    frames: int
    rate: Fraction | None
    time_base: Fraction | None
    duration_s: Fraction | None
    has_sound: bool

    @classmethod
    def read(cls, container: av.container.InputContainer) -> Self:
        stream = container.streams.video[0]
        # From version 19 on PyAV has a rational type of its own, which lacks methods of Fraction.
        rate, unit = stream.average_rate, stream.time_base
        time_base = Fraction(unit) if unit else None
        duration_s = None
        if stream.duration is not None and time_base is not None:
            duration_s = stream.duration * time_base
        elif container.duration is not None:
            duration_s = Fraction(container.duration, av.time_base)
        return cls(
            frames=stream.frames,
            rate=None if rate is None else Fraction(rate),
            time_base=time_base,
            duration_s=duration_s,
            has_sound=bool(container.streams.audio),
        )


class VideoReader:
    """Iterates once over a video's frames; afterwards ``problems`` says what was wrong with it.

    Args:
        path: A local video file.

    Raises:
        DataError: The file is no video that can be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.decoded = 0
        self._damaged = 0
        self._pts: list[int] = []
        self._offset = 0
        if not path.is_file():  # opening a FIFO would wait for a writer for ever
            raise DataError(path, "is no regular file" if path.exists() else "no such file")
        try:
            # An absolute path cannot be taken for a protocol ("concat:...").
            self._container = av.open(str(path.absolute()), options=_OPEN_OPTIONS)
        except (av.error.FFmpegError, OSError, UnicodeError) as error:
            raise DataError(path, _open_problem(path, error)) from error
        if not self._container.streams.video:
            self._container.close()
            raise DataError(path, "holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = _threads(self._stream.height, self._stream.width)
        self._header = _Header.read(self._container)

    @property
    def fps(self) -> Fraction:
        """Declared frames per second; 30 where the file declares none that makes sense."""
        rate = self._header.rate
        return rate if rate is not None and 0 < rate <= 1000 else _DEFAULT_FPS

    @property
    def first_pts(self) -> int:
        """The file's own time of the first frame that was decoded, which becomes 0 here."""
        return self._offset

    @property
    def declared_frames(self) -> int | None:
        """Frames the header declares, else its duration times its rate; None if it says neither."""
        if self._header.frames > 0:
            return self._header.frames
        duration_s = self._header.duration_s
        return None if duration_s is None else round(duration_s * self.fps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[TimedFrame]:
        size_hw: tuple[int, int] | None = None
        for frame in self._decoded_frames():
            if size_hw is None:
                size_hw = frame.height, frame.width
            if (frame.height, frame.width) != size_hw:
                self.problems.append(
                    f"from frame {self.decoded} on it is {frame.height}x{frame.width} instead of "
                    f"{size_hw[0]}x{size_hw[1]} (h x w); these frames were left out"
                )
                break
            self.decoded += 1
            yield TimedFrame(_upright_rgb(frame), self._next_pts(frame), self._time_base())
        self.problems += self._shortfalls()

    def _decoded_frames(self) -> Iterator[av.VideoFrame]:
        """Yield whole frames; damaged ones are counted and left out."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                self.problems.append(f"cannot be read on: {_reason(error)}")
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, OSError):
                self._damaged += 1
                continue
            for frame in frames:
                # A damaged frame still has pixels, made up from its neighbours.
                if isinstance(frame, av.VideoFrame) and not frame.is_corrupt:
                    yield frame
                else:
                    self._damaged += 1

    def _time_base(self) -> Fraction:
        return self._header.time_base or 1 / self.fps

    def _next_pts(self, frame: av.VideoFrame) -> int:
        """Return the frame's time; one frame after the last where it has none or runs back."""
        step = max(1, round(1 / (self.fps * self._time_base())))
        if not self._pts:
            self._offset = frame.pts or 0
            pts = 0
        elif frame.pts is None or frame.pts - self._offset <= self._pts[-1]:
            pts = self._pts[-1] + step
        else:
            pts = frame.pts - self._offset
        self._pts.append(pts)
        return pts

    def _shortfalls(self) -> list[str]:
        found = []
        declared, damaged = self._header.frames, self._damaged
        lost = f" ({damaged} damaged)" if damaged else ""
        if declared > 0:
            if declared != self.decoded:
                found.append(f"declares {declared} frames, {self.decoded} were decoded{lost}")
        elif self._ends_early() and not self.problems:
            found.append(
                f"declares about {self.declared_frames} frames, {self.decoded} were decoded{lost}"
            )
        if damaged and not found:
            found.append(f"{damaged} frames or packets are damaged, {self.decoded} were decoded")
        return found + self._wrong_rate()

    def _ends_early(self) -> bool:
        duration_s = self._header.duration_s
        if duration_s is None or not self._pts:
            return False
        end_s = self._pts[-1] * self._time_base() + 1 / self.fps
        # Sound may run on for a moment after the last frame.
        slack_s = 1 / self.fps + (Fraction(1, 2) if self._header.has_sound else 0)
        return duration_s - end_s > slack_s

    def _wrong_rate(self) -> list[str]:
        # Where the header counts frames (MP4), its rate is computed from their times.
        declared = self._header.rate
        if self._header.frames > 0 or declared is None or len(self._pts) < 3:
            return []
        steps = [later - earlier for earlier, later in zip(self._pts, self._pts[1:], strict=False)]
        step = Fraction(statistics.median(steps))
        fps = 1 / (step * self._time_base())
        # Matroska rounds times to its unit, a millisecond.
        rounded = abs(step - 1 / (declared * self._time_base())) <= 1
        if rounded or 1 / _RATE_TOLERANCE <= declared / fps <= _RATE_TOLERANCE:
            return []
        return [
            f"declares {float(declared):.4g} frames per second, the times of its "
            f"{self.decoded} decoded frames say {float(fps):.4g}; the times were kept"
        ]


class VideoWriter:
    """Encodes frames with the times they came with; the same frames give the same bytes.

    Args:
        path: File to write; its suffix names the container.
        size_hw: Height and width of the frames, after any padding.
        codec: FFmpeg's name of the encoder.
        pixel_format: FFmpeg's name of the format that is encoded.
        fps: Nominal frames per second.
        time_base: Unit of the frames' times, in seconds.
        options: Options of the encoder.
        comment: Text kept in the file's metadata.
    """

    def __init__(
        self,
        path: Path,
        size_hw: tuple[int, int],
        *,
        codec: str,
        pixel_format: str,
        fps: Fraction,
        time_base: Fraction,
        options: Mapping[str, str],
        comment: str,
    ) -> None:
        # Without this Matroska files carry random numbers as names of their parts.
        exact = {"fflags": "+bitexact"}
        self._container = av.open(str(path.absolute()), "w", options=exact)
        self._container.metadata["comment"] = comment
        stream = self._container.add_stream(codec, rate=fps.limit_denominator(1001))
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.height, self._stream.width = size_hw
        self._stream.pix_fmt = pixel_format
        # Not by the number of cores: the same frames give the same file everywhere.
        self._stream.codec_context.thread_count = _threads(*size_hw)
        self._stream.options = dict(options)
        self._stream.codec_context.time_base = time_base
        self._time_base = time_base

    def write(self, image: NDArray[np.uint8], pts: int, *, image_format: str) -> None:
        """Encode one frame: (H, W, 3) with ``rgb24``, (H, W) with ``gray``, uint8 both."""
        image = np.ascontiguousarray(image)
        if image_format == self._stream.pix_fmt:
            frame = av.VideoFrame.from_ndarray(image, format=image_format)
        else:
            # Converting copies, so the image need not be copied before. The threads that swscale
            # would start cost more than they save at camera sizes.
            shared = av.VideoFrame.from_numpy_buffer(image, format=image_format)
            frame = shared.reformat(format=self._stream.pix_fmt, **_CONVERT_IN_ONE)
        frame.pts, frame.time_base = pts, self._time_base
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def _upright_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB, turned as the phone that filmed it says."""
    rgb = np.asarray(frame.to_ndarray(format="rgb24", **_CONVERT_IN_ONE), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return rgb if quarter_turns == 0 else np.ascontiguousarray(np.rot90(rgb, quarter_turns))


def _threads(height: int, width: int) -> int:
    return 1 if height * width <= _ONE_THREAD_PIXELS else _MANY_THREADS


def _open_problem(path: Path, error: Exception) -> str:
    if path.is_file() and path.stat().st_size == 0:
        return "is empty (0 bytes)"
    return f"is no video that can be opened: {_reason(error)}"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
