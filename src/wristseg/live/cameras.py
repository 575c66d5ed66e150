"""Find the camera that a text names: a device, a stream or a file."""

from __future__ import annotations

import re
from pathlib import Path

from wristseg.errors import UsageError
from wristseg.live.camera import Camera

__all__ = ["open_camera"]


def open_camera(
    camera: int | str,
    *,
    fps: float | None = None,
    size_hw: tuple[int, int] | None = None,
    loop: bool = False,
) -> Camera:
    """Return a camera that is not opened yet.

    Args:
        camera: A device's number (``0``) or path (``/dev/video0``), an address (``http://``,
            ``https://``, ``rtsp://``, ``rtsps://``, ``udp://``, ``tcp://``), or a video file.
        fps: Frames per second to ask a device for, or to play a file at instead of its own rate.
        size_hw: Height and width to ask a device for.
        loop: Play a file again and again.

    Raises:
        UsageError: An option does not go with this kind of camera, or the address is of a kind
            that cannot be read.
        DataError: The file is no video.
    """
    text = str(camera)
    if fps is not None and not 0.0 < fps <= 1000.0:
        raise UsageError(f"fps {fps:g}: expected above 0, up to 1000")
    device = _device(text)
    if size_hw is not None and device is None:
        raise UsageError(f"{text}: only a device can be asked for frames of another size")
    if device is not None:
        _refuse_loop(text, loop=loop)
        from wristseg.live.device_camera import DeviceCamera

        return DeviceCamera(device, fps=fps, size_hw=size_hw)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        _refuse_loop(text, loop=loop)
        if fps is not None:
            raise UsageError("a stream comes at its own rate; leave the frames per second out")
        from wristseg.live.stream_camera import StreamCamera

        return StreamCamera(text)
    from wristseg.live.file_camera import FileCamera

    return FileCamera(Path(text).expanduser(), fps=fps, loop=loop)


def _device(text: str) -> int | str | None:
    if re.fullmatch(r"\d{1,3}", text):
        return int(text)
    return text if text.startswith("/dev/") else None


def _refuse_loop(text: str, *, loop: bool) -> None:
    if loop:
        raise UsageError(f"{text}: only a file can be played again and again")
