"""A network camera on loopback: MJPEG over HTTP, as cheap cameras and mjpg-streamer serve it."""

from __future__ import annotations

import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

__all__ = ["MjpegServer", "gray_of", "numbered_picture"]

#: Grey values are far enough apart for JPEG.
_STEP = 8


def numbered_picture(number: int, size_hw: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return (H, W, 3) uint8 RGB: noise below, and a grey field above that tells the number."""
    height, width = size_hw
    picture = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    picture[: height // 2] = 40 + _STEP * (number % 20)
    return picture


def gray_of(frame_bgr: np.ndarray) -> int:
    """Return a picture's number modulo 20."""
    return round((float(frame_bgr[4:16, 8:56].mean()) - 40) / _STEP)


class MjpegServer:
    """Serves pictures at a rate; ``stop`` cuts every connection, ``start`` listens again."""

    def __init__(self, *, fps: float = 20.0) -> None:
        self.fps = fps
        self.served = 0
        self.cut_short = False
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self._serving = threading.Event()

    @property
    def url(self) -> str:
        return f"http://me:secret@127.0.0.1:{self._port}/stream.mjpg"

    def __enter__(self) -> MjpegServer:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    while camera._serving.is_set():
                        self.wfile.write(camera._part())
                        time.sleep(1 / camera.fps)
                except OSError:
                    pass  # the client went away

            def log_message(self, *_args: object) -> None:
                pass

        self._serving.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._serving.clear()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _part(self) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(numbered_picture(self.served)).save(stream, "JPEG", quality=95)
        self.served += 1
        jpeg = stream.getvalue()
        if self.cut_short:
            jpeg = jpeg[: len(jpeg) // 3]
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return head.encode() + jpeg + b"\r\n"
