"""A network camera: MJPEG over HTTP, RTSP, MPEG-TS, read with FFmpeg through PyAV.

Nothing is kept back: no probing buffer, no reordering, one decoding thread, so that a frame is out
as soon as its last byte is in. Passwords in the address never reach a message or a report.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import av
import numpy as np
from av.video.stream import VideoStream

from wristseg.errors import UsageError
from wristseg.live.camera import BadFrameError, Camera, CameraFrame, CameraLostError

__all__ = ["StreamCamera", "without_password"]

_SCHEMES = frozenset({"http", "https", "rtsp", "rtsps", "udp", "tcp"})

# Playlist formats name further addresses and files to open; none of them is on this list.
_OPTIONS = {
    "protocol_whitelist": "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtsps",
    "format_whitelist": "mpjpeg,mjpeg,jpeg_pipe,rtsp,sdp,rtp,mpegts,h264,hevc,flv,matroska,webm,"
    "ogg,mov,mp4,m4a,3gp,3g2,mj2",
    "rtsp_transport": "tcp",  # UDP loses packets, and lost packets are wrong pixels
    "fflags": "nobuffer",
    "flags": "low_delay",
    "probesize": "500000",
    "analyzeduration": "500000",
}
#: How long opening and a single read may take before the camera counts as gone, seconds.
_OPEN_S, _READ_S = 5.0, 2.0
#: Cameras pad a picture's end with a few bytes.
_JPEG_END_WITHIN = 64


class StreamCamera(Camera):
    """A camera with an address.

    Args:
        url: Its address.

    Raises:
        UsageError: It is an address of another kind.
    """

    def __init__(self, url: str) -> None:
        self.name = without_password(url)
        scheme = urlsplit(url).scheme.lower()
        if scheme not in _SCHEMES:
            known = ", ".join(sorted(_SCHEMES))
            raise UsageError(f"{self.name}: cameras with an address are read over {known}")
        self._url = url
        self._container: av.container.InputContainer | None = None
        self._packets: Iterator[av.Packet[VideoStream]] = iter(())
        self._decoded: list[av.VideoFrame] = []
        self._t_packet = 0.0
        self._is_jpeg = False

    def open(self) -> None:
        """Connect.

        Raises:
            CameraLostError: Nobody answers, or what answers is no video.
        """
        try:
            container = av.open(self._url, options=_OPTIONS, timeout=(_OPEN_S, _READ_S))
        except (av.error.FFmpegError, OSError) as error:
            raise CameraLostError(f"{self.name}: cannot be opened: {_reason(error)}") from error
        if not container.streams.video:
            container.close()
            raise CameraLostError(f"{self.name}: gives no video")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # threads that each take a frame hold frames back
        stream.codec_context.thread_count = 1
        rate = stream.guessed_rate
        # MJPEG has no times; FFmpeg then says 25, or the rate of its clock.
        self.fps = float(rate) if rate is not None and 1 <= rate <= 240 else None
        self._is_jpeg = stream.codec_context.name == "mjpeg"
        self._container, self._packets = container, container.demux(stream)

    def read(self) -> CameraFrame:
        """Wait for the next frame.

        Raises:
            BadFrameError: It is damaged.
            CameraLostError: The connection ended, or nothing came for two seconds.
        """
        while not self._decoded:
            self._decoded = self._decode()
        frame = self._decoded.pop(0)
        if frame.is_corrupt:
            raise BadFrameError("frame was damaged on its way")
        bgr = frame.to_ndarray(format="bgr24", threads=1)
        return CameraFrame(np.asarray(bgr, np.uint8), self._t_packet)

    def release(self) -> None:
        """Close the connection."""
        container, self._container = self._container, None
        self._packets, self._decoded = iter(()), []
        if container is not None:
            container.close()

    def _decode(self) -> list[av.VideoFrame]:
        try:
            packet = next(self._packets, None)
        except (av.error.FFmpegError, OSError) as error:
            raise CameraLostError(f"connection lost: {_reason(error)}") from error
        if packet is None or packet.size == 0:  # an empty packet is FFmpeg's end of file
            raise CameraLostError("the other side ended the stream")
        self._t_packet = time.monotonic()
        if self._is_jpeg and not _ends_as_jpeg(packet):
            raise BadFrameError("the picture was cut off on its way")
        try:
            return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except (av.error.FFmpegError, OSError) as error:
            raise BadFrameError(f"frame cannot be decoded: {_reason(error)}") from error


def _ends_as_jpeg(packet: av.Packet[VideoStream]) -> bool:
    """Tell whether a picture is whole; FFmpeg makes up what is missing, and says nothing."""
    end = memoryview(packet)[-_JPEG_END_WITHIN:]
    return b"\xff\xd9" in bytes(end)


def without_password(url: str) -> str:
    """Return an address without user and password, and without its query, where tokens stand.

    >>> without_password("rtsp://me:secret@10.0.0.5:554/wrist?token=1")
    'rtsp://10.0.0.5:554/wrist'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
